package metrics

import (
	"sync"
	"time"
)

// recent keeps what takes a while to find out for as long as it is fresh.
type recent[T any] struct {
	ask   func() T
	fresh time.Duration

	mu    sync.Mutex
	asked time.Time // zero: never
	value T
}

// at returns the value as of now, or of not long before.
func (r *recent[T]) at(now time.Time) T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked.IsZero() || now.Sub(r.asked) >= r.fresh {
		r.value, r.asked = r.ask(), now
	}
	return r.value
}
