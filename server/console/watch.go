package console

import (
	"context"
	"sync"
	"time"
)

// contextWithWatch returns a context that ends when still, asked once in every interval, says no.
// stop ends the asking, and returns when it has ended.
func contextWithWatch(ctx context.Context, every time.Duration, still func() bool) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if !still() {
					cancel()
					return
				}
			}
		}
	})
	return ctx, func() {
		cancel()
		watching.Wait()
	}
}
