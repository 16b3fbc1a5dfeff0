package harness

import (
	"context"
	"fmt"
	"net/http"
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

// HTTPClient returns a client of HTTP/1.1 over TLS that keeps so many connections
// open. It shows no certificate.
func HTTPClient(caCert string, connections int) (*http.Client, error) {
	config, err := tlsConfig(caCert, nil)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: config, MaxIdleConns: connections, MaxIdleConnsPerHost: connections, DisableCompression: true,
	}}, nil
}
