package opentelemetry

import (
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/strongroom-kms/strongroom/audit/ship"
	"github.com/strongroom-kms/strongroom/audit/ship/otlp"
)

// Bounds of what waits for the collector.
const (
	sendTimeout  = 10 * time.Second // of one request
	flushTimeout = 5 * time.Second  // of all that is left at the end
)

// Options say where the collector is, and what it is told of this server.
type Options struct {
	// Endpoint is the collector's URL: https, or http to a loopback address. Over HTTP its
	// path comes before "/v1/metrics" and "/v1/traces".
	Endpoint string
	// Protocol is otlp.GRPC or otlp.HTTP.
	Protocol string
	// CA is a PEM file of the authorities that the collector's certificate is checked
	// against; empty: those of the system.
	CA string
	// HeadersFile holds headers that are sent along, "Name: value" in each line. It may hold
	// secrets. It is read before each request; empty: there is none.
	HeadersFile string
	// Instance tells this server from others of its kind; Version is the program's.
	Instance, Version string
	// Logger takes what operators should know; nil is silence.
	Logger hclog.Logger
}

// checked returns the options with what was left out, and the endpoint.
func (o Options) checked() (Options, *url.URL, error) {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	endpoint, err := ship.ParseEndpoint(o.Endpoint)
	if err != nil {
		return o, nil, err
	}
	if o.Protocol != otlp.GRPC && o.Protocol != otlp.HTTP {
		return o, nil, fmt.Errorf("OTLP protocol %q: want %q or %q", o.Protocol, otlp.GRPC, otlp.HTTP)
	}
	_, err = otlp.ReadHeaders(o.HeadersFile)
	return o, endpoint, err
}

// resource describes this server, as the log records of the audit trails do.
func (o Options) resource() (*resource.Resource, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for the host's name: %w", err)
	}
	return resource.NewSchemaless(
		attribute.String("service.name", "strongroom"),
		attribute.String("service.instance.id", o.Instance),
		attribute.String("service.version", o.Version),
		attribute.String("host.name", host),
	), nil
}
