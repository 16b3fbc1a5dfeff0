package keystore

import (
	"context"
	"sync"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
)

// settlePause is the pause after which settling is tried again.
const settlePause = time.Second

// settler settles changes whose event could not be made durable, as the next
// start would, once the journal can be written again. Until then each keeps its
// targets to itself.
type settler struct {
	wake chan struct{} // holds one value while there may be something to do

	mu   sync.Mutex
	open []openChange
}

type openChange struct {
	intent *audit.Intent
	held   *change
}

func newSettler() *settler { return &settler{wake: make(chan struct{}, 1)} }

// add takes over a change. One without an intent has changed nothing.
func (s *settler) add(i *audit.Intent, held *change) {
	if i == nil {
		held.end()
		return
	}
	s.mu.Lock()
	s.open = append(s.open, openChange{i, held})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns all changes that were taken over since.
func (s *settler) take() []openChange {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.open
	s.open = nil
	return open
}

// settleOpen settles what the settler is given until ctx ends. What is open
// then is left for the next start.
func (k *Keystore) settleOpen(ctx context.Context) {
	var open []openChange
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-k.settler.wake:
			open = append(open, k.settler.take()...)
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		if open = k.settleAll(ctx, open); len(open) > 0 {
			retry.Reset(settlePause)
		}
	}
}

// settleAll tries to settle changes and returns those that it could not.
func (k *Keystore) settleAll(ctx context.Context, all []openChange) (left []openChange) {
	for _, c := range all {
		// The event may have become durable after its request gave up.
		if k.trail.IntentIsOpen(c.intent.RequestID) {
			if err := k.settleOne(ctx, c.intent); err != nil {
				k.log.Warn("a change whose event could not be recorded is not settled yet", "operation", c.intent.EventName,
					"key", c.intent.KeyARN, "request_id", c.intent.RequestID, "error", err)
				left = append(left, c)
				continue
			}
		}
		c.held.end()
	}
	return left
}
