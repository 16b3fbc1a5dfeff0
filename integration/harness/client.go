package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// Client calls the services of a server. It never repeats a call by itself.
type Client struct {
	KMS      kmsv1.KeyManagementServiceClient
	Operator operatorv1.OperatorServiceClient
	Health   grpc_health_v1.HealthClient

	conn *grpc.ClientConn
}

// Dial prepares a connection to a server as one of the site's identities, or
// as Nobody.
func (s *Site) Dial(address, name string) (*Client, error) {
	if name == Nobody {
		return Dial(address, s.CA.Cert, nil)
	}
	id, ok := s.Identities[name]
	if !ok {
		return nil, fmt.Errorf("the site has no identity %q", name)
	}
	return Dial(address, s.CA.Cert, &id)
}

// Dial prepares a connection to a server. Without an identity the client shows
// no certificate.
func Dial(address, caCert string, id *Identity) (*Client, error) {
	config, err := tlsConfig(caCert, id)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: 10 * time.Second,
		}))
	if err != nil {
		return nil, fmt.Errorf("preparing a connection to %s: %w", address, err)
	}
	return &Client{
		KMS:      kmsv1.NewKeyManagementServiceClient(conn),
		Operator: operatorv1.NewOperatorServiceClient(conn),
		Health:   grpc_health_v1.NewHealthClient(conn),
		conn:     conn,
	}, nil
}

// Invoke calls a method by its full name, for tests that know it only from its
// descriptor.
func (c *Client) Invoke(ctx context.Context, fullMethod string, req, res proto.Message, opts ...grpc.CallOption) error {
	return c.conn.Invoke(ctx, fullMethod, req, res, opts...)
}

// Close ends the connection and the calls in flight.
func (c *Client) Close() error { return c.conn.Close() }

func tlsConfig(caCert string, id *Identity) (*tls.Config, error) {
	text, err := os.ReadFile(caCert)
	if err != nil {
		return nil, fmt.Errorf("reading the CA certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", caCert)
	}
	if id == nil {
		return config, nil
	}
	cert, err := tls.LoadX509KeyPair(id.Cert, id.Key)
	if err != nil {
		return nil, fmt.Errorf("loading the client certificate: %w", err)
	}
	// Shown even to a server that says it wants those of other authorities.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	return config, nil
}

// NewKey creates a key and returns its ARN.
func (c *Client) NewKey(ctx context.Context) (string, error) {
	answer, err := c.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{})
	if err != nil {
		return "", fmt.Errorf("creating a key: %w", err)
	}
	return answer.GetKeyMetadata().GetArn(), nil
}

// Header collects the answer's header; it is an option of one call.
type Header struct{ md metadata.MD }

// Option returns the option to pass to the call.
func (h *Header) Option() grpc.CallOption { return grpc.Header(&h.md) }

// RequestID is the request's id, or "" when the server did not answer.
func (h *Header) RequestID() string {
	if ids := h.md.Get("x-amzn-requestid"); len(ids) == 1 {
		return ids[0]
	}
	return ""
}

// ErrorInfo returns the detail that each error of the server carries, or nil.
func ErrorInfo(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

// RetryDelay is when an error of the server says to come again; 0 if it does not.
func RetryDelay(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// drain returns all messages of a stream that ends by itself.
func drain[T any](stream grpc.ServerStreamingClient[T]) ([]*T, error) {
	var all []*T
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}
