package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeadlines(t *testing.T) {
	d := deadlines{fallback: 10 * time.Second, longest: time.Minute}
	for name, test := range map[string]struct{ brought, want time.Duration }{
		"none":     {0, 10 * time.Second},
		"shorter":  {time.Second, time.Second},
		"between":  {30 * time.Second, 30 * time.Second},
		"too long": {time.Hour, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if test.brought > 0 {
					ctx, cancel = context.WithTimeout(ctx, test.brought)
				}
				defer cancel()
				start := time.Now()
				_, err := d.unary(ctx, nil, nil, func(ctx context.Context, _ any) (any, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				})
				if took := time.Since(start); took != test.want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("ended after %v with %v, want %v", took, err, test.want)
				}
			})
		})
	}
}
