package opentelemetry

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
)

// report tells the log when something begins to fail, and when it works again.
type report struct {
	logger  hclog.Logger
	what    string
	failing atomic.Bool
}

// of takes what became of an attempt; one that was given up says nothing. It returns nil,
// because who else is told writes a line for each.
func (r *report) of(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
	case err != nil && !r.failing.Swap(true):
		r.logger.Warn(r.what+" cannot be sent; what is dropped meanwhile is lost", "error", err)
	case err == nil && r.failing.Swap(false):
		r.logger.Info(r.what + " are sent again")
	}
	return nil
}
