package hsmpool

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// stableAfter is the life after which the loss of a worker that was asked nothing
	// is no sign that the next one will be lost too.
	stableAfter = time.Second
	// startInterval is the least time between the starts of two workers, so that one
	// which crashes on the requests it is sent is not started in a tight loop.
	startInterval = 250 * time.Millisecond
	// firstDelay and maxDelay bound the pause between starts that keep failing.
	firstDelay = 100 * time.Millisecond
	maxDelay   = 10 * time.Second
)

// pace tells how long to wait until the next worker is started. A worker that has
// answered requests is replaced at once, however soon it was lost, and clients notice
// nothing; after those that come to nothing the pauses grow.
type pace struct {
	delay   *backoff.ExponentialBackOff
	started time.Time // when the last worker was started
}

func newPace() *pace {
	return &pace{delay: &backoff.ExponentialBackOff{
		InitialInterval: firstDelay, Multiplier: 2, RandomizationFactor: 0.5, MaxInterval: maxDelay,
	}}
}

// start notes that a worker is started.
func (p *pace) start(now time.Time) { p.started = now }

// proved tells whether a worker that was lost had shown that the next one may be
// expected to work: it had answered requests, or lived for a while.
func proved(now, ready time.Time, served bool) bool {
	return served || now.Sub(ready) >= stableAfter
}

// afterLoss is the pause after the loss of a worker that had been ready, and proved or not.
func (p *pace) afterLoss(now time.Time, proved bool) time.Duration {
	if !proved {
		return p.delay.NextBackOff()
	}
	p.delay.Reset()
	return max(0, startInterval-now.Sub(p.started))
}

// afterFailure is the pause after a start that failed.
func (p *pace) afterFailure() time.Duration { return p.delay.NextBackOff() }
