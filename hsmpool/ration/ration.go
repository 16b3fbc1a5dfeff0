// Package ration keeps what happens thousands of times from filling the log.
package ration

import (
	"sync"
	"time"
)

// Ration lets one of many through in a while. The zero value lets the first one through,
// and then one a minute. It is safe for concurrent use.
type Ration struct {
	mu      sync.Mutex
	next    time.Time
	skipped int
}

// every is the time between two that are let through.
const every = time.Minute

// Take tells whether this one is let through, and how many were not since the last one.
func (r *Ration) Take(now time.Time) (skipped int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.next) {
		r.skipped++
		return 0, false
	}
	skipped, r.skipped, r.next = r.skipped, 0, now.Add(every)
	return skipped, true
}
