package history

import (
	"context"
	"iter"
	"sync"

	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// feed gives the newest sample to any number of readers, none of whom it waits for.
type feed struct {
	mu     sync.Mutex
	newest *metric.Sample // nil: there is none
	next   chan struct{}  // closed when there is a newer one, or the end
	ended  bool
}

func newFeed() *feed { return &feed{next: make(chan struct{})} }

func (f *feed) publish(s metric.Sample) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.newest = &s
	close(f.next)
	f.next = make(chan struct{})
}

// end ends all readers.
func (f *feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		f.ended = true
		close(f.next)
	}
}

func (f *feed) state() (newest *metric.Sample, next <-chan struct{}, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newest, f.next, f.ended
}

func (f *feed) samples(ctx context.Context) iter.Seq[metric.Sample] {
	return func(yield func(metric.Sample) bool) {
		var last *metric.Sample
		for ctx.Err() == nil {
			newest, next, ended := f.state()
			if newest != last && !yield(*newest) || ended {
				return
			}
			last = newest
			select {
			case <-next:
			case <-ctx.Done():
			}
		}
	}
}
