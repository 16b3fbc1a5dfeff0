// Package connect is the command line's connection to a server, by package
// client.
package connect

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/client"
)

// Client is what commands call a server with.
type Client = client.Client

// Options say which server to call, and as whom. All fields are mandatory but
// UserAgent and Region.
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
	// Region is the Region that requests mean; empty is the server's own choice.
	Region string
	// UserAgent stands in API events.
	UserAgent string
}

// New prepares a connection; the first call makes it. Close frees it. A command
// that fails says so at once: nothing is repeated behind the user's back.
func New(o Options) (*Client, error) {
	return client.Dial(o.Address, client.Config{
		CACert:     o.CACert,
		ClientCert: o.ClientCert,
		ClientKey:  o.ClientKey,
		Region:     o.Region,
		UserAgent:  o.UserAgent,
		Retries:    -1,
	})
}

// Interrupted reports whether err only says that the caller's context ended.
func Interrupted(err error) bool {
	return errors.Is(err, context.Canceled)
}

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
