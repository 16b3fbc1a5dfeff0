package server

import (
	"context"
	"time"

	"google.golang.org/grpc"
)

// deadlines bounds how long unary requests may take.
type deadlines struct {
	fallback time.Duration // for requests that bring none
	longest  time.Duration
}

func (d deadlines) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	timeout := d.fallback
	if _, ok := ctx.Deadline(); ok {
		// WithTimeout keeps the earlier of the two deadlines.
		timeout = d.longest
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return next(ctx, req)
}
