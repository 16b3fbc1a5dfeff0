package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/tap"
)

func TestDeadlinesFromTheHeadersOn(t *testing.T) {
	d := deadlines{fallback: 10 * time.Second, longest: time.Minute, streaming: map[string]bool{streamEventsMethod: true}}
	for name, test := range map[string]struct {
		method        string
		brought, want time.Duration
	}{
		"none":                      {describeKeyMethod, 0, 10 * time.Second},
		"shorter":                   {describeKeyMethod, time.Second, time.Second},
		"between":                   {describeKeyMethod, 30 * time.Second, 30 * time.Second},
		"too long":                  {describeKeyMethod, time.Hour, time.Minute},
		"unknown method":            {"/no.Such/Method", 0, 10 * time.Second},
		"stream without message":    {streamEventsMethod, 0, 10 * time.Second},
		"stream with long deadline": {streamEventsMethod, time.Hour, 10 * time.Second},
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

func TestAStreamWhoseMessageIsThereHasNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deadlines{fallback: time.Second, longest: time.Minute, streaming: map[string]bool{streamEventsMethod: true}}
		ctx, err := d.tap(t.Context(), &tap.Info{FullMethodName: streamEventsMethod})
		if err != nil {
			t.Fatal(err)
		}
		arrivalOf(ctx).complete()
		time.Sleep(time.Hour)
		if ctx.Err() != nil {
			t.Errorf("it ended with %v", context.Cause(ctx))
		}
	})
}
