package client

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// attempt is one attempt of a call. Until its headers have left, the server
// knows nothing of it.
type attempt struct{ sent atomic.Bool }

type attemptKey struct{}

// newAttempt returns a context with which sending notes what has left.
func newAttempt(ctx context.Context) (context.Context, *attempt) {
	a := new(attempt)
	return context.WithValue(ctx, attemptKey{}, a), a
}

// sending is the stats.Handler of a connection that tells the attempts which of
// them have been sent.
type sending struct{}

// HandleRPC is part of stats.Handler. gRPC begins an attempt again by itself when
// it knows that the server has not looked at it.
func (sending) HandleRPC(ctx context.Context, s stats.RPCStats) {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return // a stream
	}
	switch s := s.(type) {
	case *stats.Begin:
		if s.IsTransparentRetryAttempt {
			a.sent.Store(false)
		}
	case *stats.OutHeader:
		a.sent.Store(true)
	}
}

// TagRPC is part of stats.Handler.
func (sending) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// TagConn is part of stats.Handler.
func (sending) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn is part of stats.Handler.
func (sending) HandleConn(context.Context, stats.ConnStats) {}
