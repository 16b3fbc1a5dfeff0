package server

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"

	"github.com/strongroom-kms/strongroom/keystore"
)

// errNotTaken is why a stream ends whose client takes no more answers.
var errNotTaken = errors.New("the client takes no more answers")

// arrival is what becomes known of a request between its headers and its
// operation. It is in the request's context, and one goroutine's at a time.
type arrival struct {
	// end ends the request's context, and with it every wait of its transport.
	end context.CancelCauseFunc
	// refusal is what to answer instead of doing the request; nil to do it.
	refusal *keystore.Error
}

type arrivalKey struct{}

// arrivalOf returns the arrival of a request that came through deadlines.tap,
// as all do.
func arrivalOf(ctx context.Context) *arrival {
	if a, ok := ctx.Value(arrivalKey{}).(*arrival); ok {
		return a
	}
	return &arrival{end: func(error) {}}
}

// deadlines bounds how long unary requests may take, from their headers on: a
// client that sends headers and no message, or half a message, must not hold a
// place for longer than one whose request is slow. A stream is bounded when it
// has its place; see timedStream.
type deadlines struct {
	fallback  time.Duration // for requests that bring none
	longest   time.Duration
	streaming map[string]bool
}

// tap is called with a request's headers. Its context replaces the one with
// which the transport waits for the message. It never refuses, because gRPC
// does not release the context of a request that is refused here, with the
// timer of the deadline that the client chose, before that has passed. Nor does
// it start what outlives a request that is refused later.
func (d deadlines) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	a := new(arrival)
	if d.streaming[info.FullMethodName] {
		ctx, a.end = context.WithCancelCause(ctx)
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.of(ctx))
		a.end = func(error) { cancel() }
	}
	return context.WithValue(ctx, arrivalKey{}, a), nil
}

// of is the longest that a unary request may take. A shorter deadline that it
// has brought holds anyway.
func (d deadlines) of(ctx context.Context) time.Duration {
	if _, ok := ctx.Deadline(); ok {
		return d.longest
	}
	return d.fallback
}

// timedStream bounds the two waits of a stream for its client: for its first
// message, and for it to take an answer when those before have filled its
// window.
type timedStream struct {
	grpc.ServerStream
	ctx      context.Context
	end      context.CancelCauseFunc
	arrival  *arrival
	overdue  *time.Timer // ends the stream if its message does not come
	patience time.Duration
}

// newTimedStream is called soon after the headers. The message may take as long
// as a unary request without a deadline, the client an answer for patience.
func newTimedStream(ss grpc.ServerStream, message, patience time.Duration) *timedStream {
	ctx, end := context.WithCancelCause(ss.Context())
	a := arrivalOf(ctx)
	return &timedStream{
		ServerStream: ss, ctx: ctx, end: end, arrival: a, patience: patience,
		overdue: time.AfterFunc(message, func() { a.end(context.DeadlineExceeded) }),
	}
}

// close releases what the stream has.
func (s *timedStream) close() {
	s.overdue.Stop()
	s.end(nil)
}

// Context is part of grpc.ServerStream.
func (s *timedStream) Context() context.Context { return s.ctx }

// RecvMsg is part of grpc.ServerStream.
func (s *timedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	s.overdue.Stop()
	return err
}

// SendMsg is part of grpc.ServerStream. When it fails the client is gone, or as
// good as gone, and the stream ends for that reason.
func (s *timedStream) SendMsg(m any) error {
	overdue := time.AfterFunc(s.patience, func() { s.arrival.end(errNotTaken) })
	defer overdue.Stop()
	err := s.ServerStream.SendMsg(m)
	if err != nil {
		s.end(errNotTaken)
	}
	return err
}
