package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/audit/ship"
)

// Values of Options.Protocol.
const (
	GRPC = "grpc"
	HTTP = "http"
)

// Options say where the collector is, and what it is told of this server.
type Options struct {
	// Endpoint is the collector's URL: https, or http to a loopback address. Over HTTP a
	// missing path is "/v1/logs".
	Endpoint string
	// Protocol is GRPC or HTTP.
	Protocol string
	// CA is a PEM file of the authorities that the collector's certificate is checked
	// against; empty: those of the system.
	CA string
	// HeadersFile holds headers that are sent along, "Name: value" in each line. It may
	// hold secrets. It is read before each request; empty: there is none.
	HeadersFile string
	// Journal is the id of the journal that the records are of.
	Journal journal.ID
	// Version is the program's, empty if not known.
	Version string
	// ClusterOf returns the cluster that an HSM is of, "" if that is not known. It may
	// be nil.
	ClusterOf func(hsmID string) string
}

// Client is a ship.Sender to a collector.
type Client struct {
	encoder   encoder
	headers   string // the file
	transport transport
}

var _ ship.Sender = (*Client)(nil)

// transport carries requests to a collector. What it returns is fit to be a Sender's
// error.
type transport interface {
	export(ctx context.Context, headers []Header, request *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, error)
	close() error
}

// New checks the options and reads the files that they name. It does not connect.
func New(o Options) (*Client, error) {
	endpoint, err := ship.ParseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	if _, err := ReadHeaders(o.HeadersFile); err != nil {
		return nil, err
	}
	t, err := newTransport(endpoint, o)
	if err != nil {
		return nil, err
	}
	e, err := newEncoder(o)
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return &Client{encoder: e, headers: o.HeadersFile, transport: t}, nil
}

func newTransport(endpoint *url.URL, o Options) (transport, error) {
	config, err := ship.TLSConfig(o.CA)
	if err != nil {
		return nil, err
	}
	switch o.Protocol {
	case GRPC:
		return newGRPC(endpoint, config)
	case HTTP:
		return newHTTP(endpoint, config), nil
	}
	return nil, fmt.Errorf("OTLP protocol %q: want %q or %q", o.Protocol, GRPC, HTTP)
}

// Send implements ship.Sender.
func (c *Client) Send(ctx context.Context, records []audit.Record) error {
	headers, err := ReadHeaders(c.headers)
	if err != nil {
		return err
	}
	request, err := c.encoder.request(records)
	if err != nil {
		return err
	}
	answer, err := c.transport.export(ctx, headers, request)
	if err != nil {
		return err
	}
	if partial := answer.GetPartialSuccess(); partial.GetRejectedLogRecords() > 0 {
		return &ship.Refusal{Reason: Quote(partial.GetErrorMessage(), headers), Rejected: int(min(partial.GetRejectedLogRecords(), int64(len(records))))}
	}
	return nil
}

// Close implements ship.Sender.
func (c *Client) Close() error { return c.transport.close() }
