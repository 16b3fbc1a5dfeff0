package console

import (
	"context"
	"sync"
	"time"
)

// contextWithWatch returns a context that ends when still, asked now and then, says no.
// stop ends the asking, and returns when it has ended.
func contextWithWatch(ctx context.Context, still func() bool) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(streamCheck)
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
