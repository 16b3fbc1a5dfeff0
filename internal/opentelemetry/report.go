package opentelemetry

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit/ship/otlp"
)

// report tells the log when something begins to fail, and when it works again.
type report struct {
	logger  hclog.Logger
	what    string
	headers string // the file that may hold secrets
	failing atomic.Bool
}

func newReport(o Options, what string) *report {
	return &report{logger: o.Logger, what: what, headers: o.HeadersFile}
}

// of takes what became of an attempt; one that was given up says nothing. It returns nil,
// because who else is told writes a line for each.
func (r *report) of(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
	case err != nil && !r.failing.Swap(true):
		r.logger.Warn(r.what+" cannot be sent; what is dropped meanwhile is lost", "error", r.words(err))
	case err == nil && r.failing.Swap(false):
		r.logger.Info(r.what + " are sent again")
	}
	return nil
}

// words are an error's, which may be the collector's own.
func (r *report) words(err error) string {
	headers, _ := otlp.ReadHeaders(r.headers)
	return otlp.Quote(err.Error(), headers)
}

// sending can be cut off: what is being sent, and what would be. The zero value is not
// usable.
type sending struct {
	cut  context.Context
	stop context.CancelFunc
}

func newSending() sending {
	cut, stop := context.WithCancel(context.Background())
	return sending{cut, stop}
}

// within is ctx until the sending is cut off.
func (s sending) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.cut, cancel)
	return ctx, func() { stop(); cancel() }
}

// end has shutdown send what is left, until ctx ends or a few seconds have passed, and returns
// when nothing runs any more. That the collector does not take it is no failure of the end's:
// the log has been told.
func (s sending) end(ctx context.Context, shutdown func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	defer s.stop()
	defer context.AfterFunc(ctx, s.stop)()
	_ = shutdown(context.WithoutCancel(ctx))
}
