package keystore

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

const (
	// dueTimeout bounds what is done to one key. What has begun is not given up
	// when the service stops.
	dueTimeout = 30 * time.Second
	// firstRetry and longestRetry bound the pause after which what failed is tried
	// again; each is twice the one before. Each try leaves an event.
	firstRetry   = 10 * time.Second
	longestRetry = time.Hour
	// clockCheck is how long the clock is not looked at, at most: it may be set,
	// and timers stand still while a machine sleeps.
	clockCheck = time.Minute
)

// dueWork is what the service does to keys of itself when it is due.
type dueWork struct {
	// next returns the key that is due first among those that are wanted, or nil,
	// and a channel that is closed at the next change.
	next func(wanted func(*key) bool) (first *key, changed <-chan struct{})
	at   func(*key) time.Time // when it is due
	// do does it, if it is due; a second time makes no difference.
	do func(context.Context, *key) error
	// failure is what the log says when it failed.
	failure string
}

// retry is when something that failed is tried again.
type retry struct {
	at    time.Time
	pause time.Duration
}

// doWhenDue does work when it is due until the context ends. What fell due while
// the service was down is done at its start.
func (k *Keystore) doWhenDue(ctx context.Context, w dueWork) {
	failed := map[uuid.UUID]retry{}
	for ctx.Err() == nil {
		now := time.Now()
		first, changed := w.next(func(k *key) bool { return !now.Before(failed[k.id].at) })
		wait := k.untilDue(w, first, len(failed) > 0)
		if wait <= 0 {
			k.doDue(ctx, w, first, failed)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// untilDue is how long to wait before looking for keys that are due again.
func (k *Keystore) untilDue(w dueWork, first *key, failed bool) time.Duration {
	wait := clockCheck
	if failed {
		wait = firstRetry
	}
	if first != nil {
		wait = min(wait, w.at(first).Sub(k.now()))
	}
	return wait
}

// doDue tries to do what is due and remembers when to try again.
func (k *Keystore) doDue(ctx context.Context, w dueWork, due *key, failed map[uuid.UUID]retry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dueTimeout)
	defer cancel()
	err := w.do(ctx, due)
	if err == nil {
		delete(failed, due.id)
		return
	}
	if errors.Is(err, errHeld) || errors.Is(err, errHSMAway) { // nothing was tried
		failed[due.id] = retry{at: time.Now().Add(firstRetry), pause: failed[due.id].pause}
		return
	}
	pause := min(max(2*failed[due.id].pause, firstRetry), longestRetry)
	failed[due.id] = retry{at: time.Now().Add(pause), pause: pause}
	k.log.Error(w.failure, "key", due.arn, "after", pause, "error", err)
}
