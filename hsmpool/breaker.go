package hsmpool

import (
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
)

const (
	// breakAfter is the number of failures in a row, none of them a caller's fault, after
	// which an HSM is suspended.
	breakAfter = 5
	// firstSuspension and maxSuspension bound how long an HSM is asked nothing. The longest
	// one is short, because the first request after it costs little.
	firstSuspension = 100 * time.Millisecond
	maxSuspension   = 500 * time.Millisecond
)

// breaker keeps requests from an HSM that answers and keeps failing. While it is open
// nothing is asked; then one request at a time goes through as a probe, until one succeeds.
type breaker struct {
	mu       sync.Mutex
	failures int       // in a row
	until    time.Time // when the next probe is due; zero: closed
	probing  bool      // a probe is under way
	delay    *backoff.ExponentialBackOff
}

func newBreaker() *breaker {
	return &breaker{delay: &backoff.ExponentialBackOff{
		InitialInterval: firstSuspension, Multiplier: 2, RandomizationFactor: 0.2, MaxInterval: maxSuspension,
	}}
}

// open tells whether the HSM is suspended, be it for a probe to come.
func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.until.IsZero()
}

// ready tells whether a request may go to the HSM now.
func (b *breaker) ready(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.until.IsZero() || !b.probing && !now.Before(b.until)
}

// enter notes that a request goes to the HSM.
func (b *breaker) enter() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = !b.until.IsZero()
}

// judge takes in how a request has ended.
func (b *breaker) judge(now time.Time, v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch v {
	case good:
		b.failures, b.until = 0, time.Time{}
		b.delay.Reset()
	case bad:
		if b.failures++; b.failures >= breakAfter && (b.until.IsZero() || b.probing) && defence.On(defence.Breaker) {
			b.until = now.Add(b.delay.NextBackOff())
		}
	}
	b.probing = false
}

// verdict is what the end of a request tells of the HSM.
type verdict int

const (
	// undecided: it tells nothing.
	undecided verdict = iota
	// good: it has answered, if only that the caller is at fault.
	good
	// bad: it could not do what it should.
	bad
	// busy: it wants to be asked less.
	busy
)
