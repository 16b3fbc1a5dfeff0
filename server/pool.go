package server

import (
	"fmt"
	"sync"
)

// pool bounds how many requests of a sort there are at the same time, and how
// many of them are of one principal. Nobody waits for a place in it: to wait
// would be to hold memory for work that can be too late by then.
type pool struct {
	limit, share int
	// full and greedy tell a caller why there is no place.
	full, greedy string

	mu    sync.Mutex
	total int
	by    map[string]int // by principal
}

// newPool makes a pool whose refusals say what there is too much of, and the
// name of the limit.
func newPool(limit int, what, name string) *pool {
	// Whatever one principal does, a quarter is left for the others.
	share := limit - limit/4
	return &pool{
		limit: limit, share: share, by: map[string]int{},
		full: fmt.Sprintf("The server is at its limit of %d %s at the same time (%s). Try again later.", limit, what, name),
		greedy: fmt.Sprintf("The caller is at its limit of %d %s at the same time, three quarters of the server's (%s). Try again later.",
			share, what, name),
	}
}

// enter takes a place and returns "", or returns why there is none.
func (p *pool) enter(principal string) (refusal string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.total >= p.limit:
		return p.full
	case p.by[principal] >= p.share:
		return p.greedy
	}
	p.total++
	p.by[principal]++
	return ""
}

// leave gives back a place that enter has given.
func (p *pool) leave(principal string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total--
	if p.by[principal]--; p.by[principal] == 0 {
		delete(p.by, principal)
	}
}

// inUse is how many places are taken.
func (p *pool) inUse() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}
