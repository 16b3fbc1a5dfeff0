package hsmpool

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// orphanRetry is the pause after which destroying an orphan is tried again; it doubles up
	// to maxOrphanRetry while no HSM can.
	orphanRetry    = time.Second
	maxOrphanRetry = 30 * time.Second
	// orphanSettle is the pause after which an orphan that was not there is looked for
	// once more: a network HSM may complete the generation of a worker that was killed.
	orphanSettle = time.Minute
)

// orphan is a key that may be in the token although its generation has failed.
type orphan struct {
	request string    // that wanted the key
	due     time.Time // when it is looked for next
	pause   time.Duration
	missing bool // it was looked for and not there
}

// orphanage destroys keys that failed generations may have left in the token. One
// goroutine does so; stop ends it and leaves the rest to whoever settles the
// generation's intent.
type orphanage struct {
	destroy func(context.Context, ObjectID) error
	settle  time.Duration
	log     hclog.Logger
	cancel  context.CancelFunc
	done    chan struct{}
	wake    chan struct{}

	mu  sync.Mutex
	ids map[ObjectID]orphan
}

// newOrphanage starts an orphanage. destroy destroys a key, or fails with an Error.
func newOrphanage(destroy func(context.Context, ObjectID) error, settle time.Duration, log hclog.Logger) *orphanage {
	ctx, cancel := context.WithCancel(context.Background())
	o := &orphanage{
		destroy: destroy, settle: settle, log: log, cancel: cancel,
		done: make(chan struct{}), wake: make(chan struct{}, 1),
		ids: make(map[ObjectID]orphan),
	}
	go o.run(ctx)
	return o
}

func (o *orphanage) add(id ObjectID, requestID string) {
	o.mu.Lock()
	o.ids[id] = orphan{request: requestID}
	o.mu.Unlock()
	notify(o.wake)
}

func (o *orphanage) has(id ObjectID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.ids[id]
	return ok
}

func (o *orphanage) stop() {
	o.cancel()
	<-o.done
}

func (o *orphanage) run(ctx context.Context) {
	defer close(o.done)
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-retry.C:
		}
		o.sweep(ctx)
		if next, left := o.next(); left {
			retry.Reset(time.Until(next))
		}
	}
}

// next returns when the next orphan is due, and whether there is any.
func (o *orphanage) next() (next time.Time, left bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, orphan := range o.ids {
		if !left || orphan.due.Before(next) {
			next, left = orphan.due, true
		}
	}
	return next, left
}

// sweep tries every orphan that is due once.
func (o *orphanage) sweep(ctx context.Context) {
	o.mu.Lock()
	orphans := maps.Clone(o.ids)
	o.mu.Unlock()
	for id, orphan := range orphans {
		if time.Now().Before(orphan.due) {
			continue
		}
		kept, gone := o.try(ctx, id, orphan)
		o.mu.Lock()
		if gone {
			delete(o.ids, id)
		} else {
			o.ids[id] = kept
		}
		o.mu.Unlock()
	}
}

// try destroys an orphan. It is gone when it has been destroyed, or was not there when
// it was looked for again.
func (o *orphanage) try(ctx context.Context, id ObjectID, child orphan) (left orphan, gone bool) {
	err := o.destroy(WithRequestID(ctx, child.request), id)
	var e *Error
	switch {
	case err == nil:
		return child, true
	case errors.As(err, &e) && e.Class == ObjectMissing:
		gone, child.missing = child.missing, true
		child.due = time.Now().Add(o.settle)
		return child, gone
	}
	o.log.Warn("destroying the key of a failed generation", "key", id.String(), "error", err)
	child.pause = min(max(2*child.pause, orphanRetry), maxOrphanRetry)
	child.due = time.Now().Add(child.pause)
	return child, false
}
