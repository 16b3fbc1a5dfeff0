package harness

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"regexp"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// Region is the only one of a Site's server.
const Region = "eu-central-1"

var awsAddressPattern = regexp.MustCompile(`serving AWS clients: .*address=(127\.0\.0\.1:\d+)`)

// AWSAddress waits until the server of a site with Options.AWS answers AWS clients,
// over TLS, and returns where.
func (s *Server) AWSAddress(ctx context.Context) (string, error) {
	line, err := s.Stderr.Await(ctx, s.exited, "serving AWS clients: ")
	if err != nil {
		return "", fmt.Errorf("starting the endpoint for AWS clients: %w", err)
	}
	found := awsAddressPattern.FindStringSubmatch(line)
	if found == nil {
		return "", fmt.Errorf("the server's log names no address for AWS clients: %s", line)
	}
	return found[1], nil
}

// AccessKey is what an AWS client signs its requests with.
type AccessKey struct{ ID, Secret string }

// NewAccessKey gives a principal an access key.
func (c *Client) NewAccessKey(ctx context.Context, principal string) (AccessKey, error) {
	answer, err := c.Operator.CreateAccessKey(ctx, &operatorv1.CreateAccessKeyRequest{Principal: &principal})
	if err != nil {
		return AccessKey{}, fmt.Errorf("creating an access key of %s: %w", principal, err)
	}
	return AccessKey{ID: answer.GetAccessKey().GetAccessKeyId(), Secret: answer.GetSecretAccessKey()}, nil
}

// DialTLS connects to a server for HTTP/1.1, and shows it no certificate.
func DialTLS(ctx context.Context, address, caCert string) (net.Conn, error) {
	config, err := tlsConfig(caCert, nil)
	if err != nil {
		return nil, err
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	return conn, nil
}
