package chaos

import (
	"context"
	"sync"
	"time"
)

// progress counts steps, and lets others wait for a count.
type progress struct {
	mu      sync.Mutex
	count   int
	changed chan struct{} // closed at the next step
}

func newProgress() *progress { return &progress{changed: make(chan struct{})} }

func (p *progress) step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *progress) now() (int, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count, p.changed
}

// await waits until the count is n, but no longer than most. It returns whether the
// count was reached.
func (p *progress) await(ctx context.Context, n int, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		count, changed := p.now()
		if count >= n {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
