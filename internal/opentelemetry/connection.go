package opentelemetry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // registers the compressor
	"google.golang.org/grpc/metadata"

	"github.com/strongroom-kms/strongroom/audit/ship"
	"github.com/strongroom-kms/strongroom/audit/ship/otlp"
)

// dial prepares a connection over gRPC, which is made when something is sent. Each request
// has the headers of the file.
func dial(endpoint *url.URL, o Options) (*grpc.ClientConn, error) {
	config, err := ship.TLSConfig(o.CA)
	if err != nil {
		return nil, err
	}
	transport := credentials.NewTLS(config)
	if endpoint.Scheme == "http" {
		transport = insecure.NewCredentials()
	}
	address := endpoint.Host
	if endpoint.Port() == "" {
		address = net.JoinHostPort(endpoint.Hostname(), "4317")
	}
	withHeaders := func(ctx context.Context, method string, req, res any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		headers, err := otlp.ReadHeaders(o.HeadersFile)
		if err != nil {
			return err
		}
		for _, h := range headers {
			ctx = metadata.AppendToOutgoingContext(ctx, h.Name, h.Value)
		}
		return invoke(ctx, method, req, res, c, opts...)
	}
	connection, err := grpc.NewClient("dns:///"+address, grpc.WithTransportCredentials(transport), grpc.WithUnaryInterceptor(withHeaders),
		grpc.WithDefaultCallOptions(grpc.UseCompressor("gzip")), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to the collector: %w", err)
	}
	return connection, nil
}

// newHTTPClient returns a client whose requests have the headers of the file.
func newHTTPClient(o Options) (*http.Client, error) {
	config, err := ship.TLSConfig(o.CA)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout: sendTimeout,
		Transport: &headed{file: o.HeadersFile, Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute,
		}},
		// A header with a password goes to the endpoint that is configured and to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// headed is a transport that adds the headers of a file.
type headed struct {
	*http.Transport
	file string
}

// RoundTrip implements http.RoundTripper.
func (h *headed) RoundTrip(r *http.Request) (*http.Response, error) {
	headers, err := otlp.ReadHeaders(h.file)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	for _, header := range headers {
		r.Header.Set(header.Name, header.Value)
	}
	return h.Transport.RoundTrip(r)
}
