package reliability

import (
	"context"
	"errors"
	"sync"
	"time"
)

// load is clients at work, each with one request in flight.
type load struct {
	w    *world
	end  context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex
	calls    int
	refused  []error
	broken   error // the first promise that was broken
	longest  time.Duration
	progress chan struct{} // closed at the next call's end
}

// load has so many clients do something again and again until it is stopped.
func (w *world) load(clients int, do func() error) *load {
	return w.clients(clients, func(ctx context.Context, l *load) {
		for ctx.Err() == nil {
			if !l.call(do) {
				w.pause(respite)
			}
		}
	})
}

// burst has so many clients do something once, all at the same time. To stop it is to wait for
// them.
func (w *world) burst(clients int, do func() error) *load {
	return w.clients(clients, func(_ context.Context, l *load) { l.call(do) })
}

// respite is how long a client waits that was refused.
const respite = 20 * time.Millisecond

func (w *world) clients(n int, work func(context.Context, *load)) *load {
	ctx, end := context.WithCancel(w.ctx)
	l := &load{w: w, end: end, progress: make(chan struct{})}
	w.loads = append(w.loads, l)
	for range n {
		l.done.Go(func() { work(ctx, l) })
	}
	return l
}

// call does something, and tells whether it was done.
func (l *load) call(do func() error) bool {
	begun := time.Now()
	err := do()
	l.note(err, time.Since(begun))
	return err == nil
}

// using is the load of clients that encrypt and decrypt.
func (w *world) using(clients int, key string) *load {
	return w.load(clients, func() error { return w.use(key) })
}

func (l *load) note(err error, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	l.longest = max(l.longest, took)
	close(l.progress)
	l.progress = make(chan struct{})
	var refused *refusal
	switch {
	case err == nil:
	case errors.As(err, &refused):
		l.refused = append(l.refused, err)
	case l.broken == nil:
		l.broken = err
	}
}

// more waits until so many more calls have ended, however.
func (l *load) more(n int) error {
	l.mu.Lock()
	until := l.calls + n
	l.mu.Unlock()
	for {
		l.mu.Lock()
		progress, calls := l.progress, l.calls
		l.mu.Unlock()
		if calls >= until {
			return nil
		}
		select {
		case <-progress:
		case <-l.w.ctx.Done():
			return broken(errStuck, "the clients get no answers: %w", context.Cause(l.w.ctx))
		}
	}
}

// stop ends the load and fails if a promise was broken, unless by refusals.
func (l *load) stop() error {
	l.end()
	l.done.Wait()
	l.w.logf("%d clients' calls, %d refused, the longest %v", l.calls, len(l.refused), l.longest.Round(time.Millisecond))
	return l.broken
}

// stopServed ends the load and fails if any request was refused.
func (l *load) stopServed() error {
	if err := l.stop(); err != nil || len(l.refused) == 0 {
		return err
	}
	return broken(errFailed, "%d of %d calls, first %w", len(l.refused), l.calls, l.refused[0])
}

// stopRefused ends the load and fails if a request was refused with another exception
// than these, which tell a client to come again.
func (l *load) stopRefused(codes ...string) error {
	if err := l.stop(); err != nil {
		return err
	}
	for _, err := range l.refused {
		if !hasCode(err, codes...) {
			return broken(errVague, "want one of %v: %w", codes, err)
		}
	}
	return nil
}

// hasCode tells whether a request was refused with one of these exceptions.
func hasCode(err error, codes ...string) bool {
	var refused *refusal
	if !errors.As(err, &refused) {
		return false
	}
	for _, code := range codes {
		if refused.code == code {
			return true
		}
	}
	return false
}

// pause lets time pass in which nothing is asked: what is waited for is that nothing
// happens.
func (w *world) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.ctx.Done():
	}
}
