package server

import (
	"context"
	"errors"

	"google.golang.org/grpc"
)

// errDraining is why streams end when the server stops.
var errDraining = errors.New("the server is shutting down")

// drain ends the contexts of streams when the server stops. A stream that
// follows a trail or watches health would otherwise hold up the end for ever;
// its client reconnects. A reflection stream that waits for its client's next
// question does not see it, and is cut off when DrainTimeout is over.
type drain struct {
	stopping context.Context
	stop     context.CancelFunc
}

func newDrain() *drain {
	ctx, stop := context.WithCancel(context.Background())
	return &drain{stopping: ctx, stop: stop}
}

func (d *drain) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, cancel := context.WithCancelCause(ss.Context())
	defer cancel(nil)
	defer context.AfterFunc(d.stopping, func() { cancel(errDraining) })()
	return next(srv, &drainedStream{ServerStream: ss, ctx: ctx})
}

type drainedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context is part of grpc.ServerStream.
func (s *drainedStream) Context() context.Context { return s.ctx }
