package ship

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Pauses between attempts, before they are varied by half.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = time.Minute
)

// ErrTooLarge says that a sink takes no batch of this size, but perhaps a part of it.
var ErrTooLarge = errors.New("the batch is too large for the sink")

// Refusal is the error of a Sender whose sink will not take records as they are, however
// often it is asked. All other errors are worth another attempt.
type Refusal struct {
	// Reason is what the sink says.
	Reason string
	// Rejected is how many records of the batch the sink has not taken, if it has taken
	// the others; 0 if it has taken none.
	Rejected int
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Rejected > 0 {
		return fmt.Sprintf("the sink refused %d records of a batch: %s", r.Rejected, r.Reason)
	}
	return "the sink refused: " + r.Reason
}

// Later is the error of an attempt whose sink says when it wants the next one.
type Later struct {
	// After is how long the sink is to be left alone.
	After time.Duration
	// Err is what it answered.
	Err error
}

// Error implements error.
func (l *Later) Error() string { return l.Err.Error() }

// Unwrap returns Err.
func (l *Later) Unwrap() error { return l.Err }

// Pauses are the pauses between failed attempts: ever longer, and random so that many
// servers do not come back to a sink at the same moment.
type Pauses struct{ backoff backoff.ExponentialBackOff }

// NewPauses returns Pauses from 500 ms to a minute.
func NewPauses() *Pauses {
	return newPauses(firstPause, longestPause)
}

func newPauses(first, longest time.Duration) *Pauses {
	p := &Pauses{backoff: backoff.ExponentialBackOff{
		InitialInterval: first, MaxInterval: longest,
		RandomizationFactor: backoff.DefaultRandomizationFactor, Multiplier: backoff.DefaultMultiplier,
	}}
	p.Reset()
	return p
}

// Reset makes the next pause a short one again.
func (p *Pauses) Reset() { p.backoff.Reset() }

// Next returns the next pause, after an attempt that ended with err: longer if err is a
// Later that wants it.
func (p *Pauses) Next(err error) time.Duration {
	pause := p.backoff.NextBackOff()
	if later := (*Later)(nil); errors.As(err, &later) {
		pause = max(pause, later.After)
	}
	return pause
}

// sleep waits, or until ctx ends, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
