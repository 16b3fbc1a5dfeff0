// Package connect is the command line's connection to a server: gRPC over TLS
// with a client certificate, and errors in the words of the KMS API.
package connect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// Options say which server to call, and as whom. All fields are mandatory but
// UserAgent and Timeout.
type Options struct {
	// Address is the server's "host:port"; its certificate must be for the host.
	Address string
	// CACert is a PEM file with the authorities that may have issued the
	// server's certificate.
	CACert string
	// ClientCert is a PEM file with the caller's certificate, which says who
	// calls.
	ClientCert string
	// ClientKey is a PEM file with the private key of ClientCert.
	ClientKey string
	// UserAgent stands in API events.
	UserAgent string
	// Timeout is how long the caller waits for an answer. It is for the words of
	// an error only: contexts end calls.
	Timeout time.Duration
}

// Client calls both services of one server. Its methods fail with *Error.
type Client struct {
	// KMS is the key management service.
	KMS kmsv1.KeyManagementServiceClient
	// Operator reads the audit trails and the state of the HSMs.
	Operator operatorv1.OperatorServiceClient

	conn *grpc.ClientConn
}

// New prepares a connection; the first call makes it. Close frees it.
func New(o Options) (*Client, error) {
	config, err := tlsConfig(o)
	if err != nil {
		return nil, err
	}
	words := wording{clientCert: o.ClientCert, timeout: o.Timeout}
	conn, err := grpc.NewClient(o.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithUserAgent(o.UserAgent),
		grpc.WithUnaryInterceptor(words.unary),
		grpc.WithStreamInterceptor(words.stream),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", o.Address, err)
	}
	return &Client{
		KMS:      kmsv1.NewKeyManagementServiceClient(conn),
		Operator: operatorv1.NewOperatorServiceClient(conn),
		conn:     conn,
	}, nil
}

// Close ends the connection and the calls in flight.
func (c *Client) Close() error { return c.conn.Close() }

// Each calls f for every answer of a stream until the stream ends, or f fails.
func Each[T any](stream grpc.ServerStreamingClient[T], f func(*T) error) error {
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(answer); err != nil {
			return err
		}
	}
}

func tlsConfig(o Options) (*tls.Config, error) {
	ca, err := os.ReadFile(o.CACert)
	if err != nil {
		return nil, fmt.Errorf("reading the CA certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("reading the CA certificate: %s has no certificate in PEM form", o.CACert)
	}
	cert, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("loading the client certificate %s with key %s: %w", o.ClientCert, o.ClientKey, err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		RootCAs:      roots,
		Certificates: []tls.Certificate{cert},
	}, nil
}
