package dev

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/tour"
	"github.com/strongroom-kms/strongroom/internal/daemon"
)

// Options are the flags of `strongroom dev`.
type Options struct {
	// DataDir keeps everything; it is made if missing.
	DataDir string
	// Listen is a loopback address, "host:port".
	Listen string
	// Library is the path of the SoftHSM library; empty: the usual places.
	Library string
	// Tour makes a first round trip once the server serves.
	Tour bool
	// AcceptNewJournal is daemon.Options.AcceptNewJournal.
	AcceptNewJournal bool
	// Output is where to say what to do next.
	Output io.Writer
	// Logger takes the server's log.
	Logger hclog.Logger
}

// Run serves until ctx ends.
func Run(ctx context.Context, o Options) error {
	l, err := prepare(o)
	if err != nil {
		return err
	}
	c, err := l.config()
	if err != nil {
		return err
	}
	return daemon.Run(ctx, c, o.Logger, daemon.Options{
		AcceptNewJournal: o.AcceptNewJournal,
		BeforeHSM: func(ctx context.Context, trail *audit.Trail) error {
			return l.initToken(ctx, trail, o.Logger)
		},
		Serving: func(ctx context.Context, address net.Addr) error {
			l.address = address.String()
			return l.welcome(ctx, o)
		},
	})
}

// welcome says what to do next. If the port was left to the system, only now
// is the address known.
func (l *layout) welcome(ctx context.Context, o Options) error {
	if err := l.writeEnv(); err != nil {
		return err
	}
	if o.Tour {
		client, err := connect.New(l.connection())
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck // all calls are over
		if err := tour.Run(ctx, client, o.Output); err != nil {
			return fmt.Errorf("tour: %w", err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.Output, banner, l.dir, l.address, shellQuote(l.envFile()), pathLine(self))
	return err
}

const banner = `
NOT FOR PRODUCTION: the PIN and all private keys lie in %s

Strongroom serves on %s. To use it, paste into another shell:

    . %s
%s    KEY=$(strongroom key create --quiet)
    echo 'hello' | strongroom encrypt --key "$KEY" | strongroom decrypt
    strongroom events tail

Ctrl-C stops it; the next start has the same keys.
`
