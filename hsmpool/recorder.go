package hsmpool

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
)

// recordGrace is how long the last entries may take to be written although nobody
// waits any more.
const recordGrace = 2 * time.Second

// recorder hands the management calls of an HSM to the Auditor, in their order and
// from one goroutine, off the goroutine that reads the worker's replies. It outlives
// workers, so that the end of one is recorded before the start of the next.
type recorder struct {
	auditor Auditor

	mu     sync.Mutex
	queue  []step
	closed bool
	err    error // why something so far is not durable
	wake   chan struct{}

	// owed holds steps behind a Boot that failed. Only run touches it.
	owed []step
	stop context.CancelFunc
	done chan struct{}
}

// step is one thing to record. done, if any, hears whether it is durable.
type step struct {
	hsmID  string
	booted func(counter uint32) // not nil: a worker's start, recorded before cmds
	cmds   []audit.HSMCommand
	done   func(error)
}

func newRecorder(auditor Auditor) *recorder {
	ctx, stop := context.WithCancel(context.Background())
	r := &recorder{auditor: auditor, wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{})}
	go r.run(ctx)
	return r
}

// record queues a step; it does not wait. Steps after close are refused at once.
func (r *recorder) record(s step) {
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.queue = append(r.queue, s)
	}
	r.mu.Unlock()
	if closed {
		s.finish(errClosed)
		return
	}
	notify(r.wake)
}

// check returns nil if every entry so far could be written, after one more attempt
// if not.
func (r *recorder) check(ctx context.Context, hsmID string) error {
	r.mu.Lock()
	err := r.err
	r.mu.Unlock()
	if err == nil {
		return nil
	}
	result := make(chan error, 1)
	r.record(step{hsmID: hsmID, done: func(err error) { result <- err }})
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close records what is queued and stops the recorder. Some time after ctx has ended
// the Auditor is told to give up.
func (r *recorder) close(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	notify(r.wake)
	select {
	case <-r.done:
	case <-ctx.Done():
		waitFor(r.done, recordGrace)
	}
	r.stop()
	<-r.done
}

func (r *recorder) run(ctx context.Context) {
	defer close(r.done)
	for range r.wake {
		steps, closed := r.take()
		for _, s := range steps {
			s.finish(r.settle(ctx, s))
		}
		if closed {
			return
		}
	}
}

// take empties the queue.
func (r *recorder) take() (steps []step, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	steps, r.queue = r.queue, nil
	return steps, r.closed
}

// settle records what is owed and then s, and remembers how it went.
func (r *recorder) settle(ctx context.Context, s step) error {
	r.mu.Lock()
	failing := r.err != nil
	r.mu.Unlock()
	if s.empty() && !failing {
		return nil
	}
	r.owed = append(r.owed, s)
	err := r.pay(ctx)
	r.mu.Lock()
	r.err = err
	r.mu.Unlock()
	return err
}

// empty tells whether the step only asks how the ones before it went.
func (s step) empty() bool { return s.booted == nil && len(s.cmds) == 0 }

// pay records owed steps in order. A step whose Boot fails stays first in line;
// commands once handed over are the Auditor's, even if writing them failed.
func (r *recorder) pay(ctx context.Context) error {
	var err error
	for len(r.owed) > 0 {
		s := r.owed[0]
		if s.booted != nil {
			counter, err := r.auditor.Boot(ctx, s.hsmID)
			if err != nil {
				return fmt.Errorf("recording the start of the worker: %w", err)
			}
			s.booted(counter)
		}
		r.owed = r.owed[1:]
		if err = r.auditor.RecordHSM(ctx, s.hsmID, s.cmds...); err != nil {
			err = fmt.Errorf("recording HSM entries: %w", err)
		}
	}
	return err
}

func (s step) finish(err error) {
	if s.done != nil {
		s.done(err)
	}
}

// notify wakes the one who waits on a channel of capacity one.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
