package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"
)

func TestDeadlinesFromTheHeadersOn(t *testing.T) {
	d := deadlines{fallback: 10 * time.Second, longest: time.Minute}
	for name, test := range map[string]struct {
		method        string
		brought, want time.Duration
	}{
		"none":           {describeKeyMethod, 0, 10 * time.Second},
		"shorter":        {describeKeyMethod, time.Second, time.Second},
		"between":        {describeKeyMethod, 30 * time.Second, 30 * time.Second},
		"too long":       {describeKeyMethod, time.Hour, time.Minute},
		"unknown method": {"/no.Such/Method", 0, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if test.brought > 0 {
					ctx, cancel = context.WithTimeout(ctx, test.brought)
				}
				defer cancel()
				start := time.Now()
				ctx, err := d.tap(ctx, &tap.Info{FullMethodName: test.method})
				if err != nil {
					t.Fatal(err)
				}
				<-ctx.Done()
				if took := time.Since(start); took != test.want || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
					t.Errorf("ended after %v with %v, want %v", took, context.Cause(ctx), test.want)
				}
			})
		})
	}
}

// arriving is a stream whose message is there at once, or never comes.
type arriving struct {
	grpc.ServerStream
	ctx context.Context
}

func (a arriving) Context() context.Context { return a.ctx }
func (arriving) RecvMsg(any) error          { return nil }

func TestAStreamsDeadlineIsThatOfItsMessage(t *testing.T) {
	for name, test := range map[string]struct {
		brought  time.Duration
		received bool
		want     error // after an hour
	}{
		"no message":                      {0, false, context.DeadlineExceeded},
		"no message, and a long deadline": {24 * time.Hour, false, context.DeadlineExceeded},
		"a message":                       {0, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := deadlines{fallback: time.Second, longest: time.Minute, streaming: map[string]bool{streamEventsMethod: true}}
				ctx := t.Context()
				if test.brought > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.brought)
					defer cancel()
				}
				ctx, err := d.tap(ctx, &tap.Info{FullMethodName: streamEventsMethod})
				if err != nil {
					t.Fatal(err)
				}
				s := newTimedStream(arriving{ctx: ctx}, 10*time.Second, time.Second)
				defer s.close()
				if test.received {
					if err := s.RecvMsg(nil); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(10*time.Second - 1)
				if ctx.Err() != nil {
					t.Errorf("it ended too early, with %v", context.Cause(ctx))
				}
				time.Sleep(time.Hour)
				if got := context.Cause(ctx); !errors.Is(got, test.want) {
					t.Errorf("it ended with %v, want %v", got, test.want)
				}
			})
		})
	}
}
