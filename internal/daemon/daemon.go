// Package daemon puts the parts of a server together and runs it: the audit
// trails, the HSMs, the metadata, the key store and the gRPC server, opened in
// this order and closed in reverse. It decides nothing; each part checks what
// it is given.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/keystore"
)

// closeTimeout bounds the closing of all parts after the server has drained. It
// is longer than what the key store may take to end a renewal under way.
const closeTimeout = 60 * time.Second

// JournalDir is where a data directory has its audit journal.
func JournalDir(dataDir string) string { return filepath.Join(dataDir, "journal") }

// MetadataFile is where a data directory has its key metadata.
func MetadataFile(dataDir string) string { return filepath.Join(dataDir, "metadata.db") }

// Options are what a configuration file does not say. None is mandatory.
type Options struct {
	// AcceptNewJournal lets the key metadata go on with another audit journal
	// than the one that it belongs to.
	AcceptNewJournal bool
	// BeforeHSM is called when the trail is open and no HSM is in use yet. An
	// error ends Run.
	BeforeHSM func(ctx context.Context, trail *audit.Trail) error
	// RequireHSM ends Run with an error if the HSM of the default key store is not there
	// at the start. Else the server serves what does not need it until it comes.
	RequireHSM bool
	// Serving is called, beside the server, when requests are answered at the
	// addresses. An error ends the server, and Run. ctx ends when the server does.
	Serving func(ctx context.Context, at Addresses) error
	// AccessKeys are access keys beside those that principals are given.
	AccessKeys map[string]keystore.AccessKey
	// SampleEvery is how often metrics are sampled for their history. Default 5 s.
	SampleEvery time.Duration
	// EvaluateEvery is how often alarms are evaluated. Default 10 s.
	EvaluateEvery time.Duration
}

// Addresses are where a server answers requests.
type Addresses struct {
	GRPC    net.Addr
	AWS     net.Addr // nil: AWS clients are not answered
	Metrics net.Addr // nil: there are no metrics
	// Console is the console's URL; empty: there is none.
	Console string
}

// Run serves as the configuration says until ctx ends. Then the requests in
// flight finish, and all parts are closed before it returns. It returns nil
// when ctx ended and everything closed well.
func Run(ctx context.Context, c *config.Config, logger hclog.Logger, o Options) (err error) {
	d := &daemon{config: c, logger: logger, options: o}
	defer func() {
		if err = errors.Join(err, d.parts.close(ctx)); err == nil {
			logger.Info("stopped")
		}
	}()
	if err := d.assemble(ctx); err != nil {
		return err
	}
	logger.Info("serving", "address", d.listener.Addr().String())
	return d.serve(ctx)
}

// serve runs the server, and the hook beside it.
func (d *daemon) serve(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		<-ctx.Done()
		d.logger.Info("stopping: requests in flight are answered, new ones refused")
	})
	if d.aws != nil {
		beside.Go(func() {
			if err := d.serveAWS(ctx); err != nil {
				stop(err)
			}
		})
	}
	if d.metrics != nil {
		beside.Go(func() {
			if err := d.answerMetrics(ctx); err != nil {
				stop(err)
			}
		})
	}
	if d.options.Serving != nil {
		beside.Go(func() {
			if err := d.options.Serving(ctx, d.addresses()); err != nil {
				stop(err)
			}
		})
	}
	err := d.server.Serve(ctx, d.listener)
	stop(nil)
	beside.Wait()
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

func (d *daemon) addresses() Addresses {
	a := Addresses{GRPC: d.listener.Addr()}
	if d.aws != nil {
		a.AWS = d.aws.Addr()
	}
	if d.metrics != nil {
		a.Metrics = d.metrics.Addr()
	}
	if d.access != nil {
		a.Console = d.consoleURL()
	}
	return a
}

// closers closes parts in the reverse of the order in which they were added.
type closers []closer

type closer struct {
	name  string
	close func(context.Context) error
}

func (c *closers) add(name string, f func(context.Context) error) {
	*c = append(*c, closer{name, f})
}

// close closes every part, whatever becomes of the others. It has closeTimeout
// even though ctx has ended by then.
func (c *closers) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var errs []error
	for i := len(*c) - 1; i >= 0; i-- {
		part := (*c)[i]
		if err := part.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("closing the %s: %w", part.name, err))
		}
	}
	return errors.Join(errs...)
}
