package keystore

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
)

const (
	// settlePause is the pause after which settling is tried again.
	settlePause = time.Second
	// longestSettlePause bounds the pause after an HSM that is there has refused to settle
	// a change; each pause is twice the one before. Its key cannot be changed meanwhile.
	longestSettlePause = time.Minute
	// settleTimeout bounds the settling of one change.
	settleTimeout = time.Minute
	// lateMaterial is how long after its generation failed key material may
	// still come to be: a network HSM may complete what a worker that was killed
	// has asked for.
	lateMaterial = 2 * time.Minute
)

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
	from   time.Time     // it is not settled before
	pause  time.Duration // the one before from, if its HSM has refused
}

// refused puts off a change that its HSM has refused to settle.
func (c openChange) refused(now time.Time) openChange {
	c.pause = min(max(2*c.pause, settlePause), longestSettlePause)
	c.from = now.Add(c.pause)
	return c
}

func newSettler() *settler { return &settler{wake: make(chan struct{}, 1)} }

// add takes over a change. One without an intent has changed nothing.
func (s *settler) add(i *audit.Intent, held *change) {
	if i == nil {
		held.end()
		return
	}
	s.put(openChange{intent: i, held: held})
}

// addLate takes over a change that may yet make key material.
func (s *settler) addLate(i *audit.Intent) {
	s.put(openChange{intent: i, from: time.Now().Add(lateMaterial)})
}

func (s *settler) put(c openChange) {
	s.mu.Lock()
	s.open = append(s.open, c)
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
		if time.Now().Before(c.from) {
			left = append(left, c)
			continue
		}
		if err := k.settleIfOpen(ctx, c); errors.Is(err, errHSMAway) || errors.Is(err, errHeld) {
			left = append(left, c) // for as long as it takes
			continue
		} else if err != nil {
			k.log.Warn("a change that was cut off is not settled yet", "operation", c.intent.EventName,
				"of", cmp.Or(c.intent.KeyARN, c.intent.ResourceARN), "request_id", c.intent.RequestID, "error", err)
			if waitsForHSM(err) && !passing(err) {
				c = c.refused(time.Now())
			}
			left = append(left, c)
			continue
		}
		c.held.end()
	}
	return left
}

// settleIfOpen settles a change, unless its event has become durable after its
// request gave up. Meanwhile nobody else changes its key: imported material may be
// imported again, under the same id.
func (k *Keystore) settleIfOpen(ctx context.Context, c openChange) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if !k.trail.IntentIsOpen(c.intent.RequestID) {
		return nil
	}
	if id, err := k.keyOf(c.intent); err == nil && c.held == nil {
		held, err := k.holdKey(ctx, id)
		if err != nil {
			return err
		}
		defer held.end()
	}
	return k.settleOne(ctx, c.intent)
}
