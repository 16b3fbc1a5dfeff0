package hsmpool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
)

// router gives requests of one sort their places: at the member that is least busy, of
// those that take requests. When all places are taken requests wait, those of different
// keys by turns, no longer than their contexts last.
type router struct {
	members []*member
	// bound is the most requests that have a place or wait for one.
	bound int
	// probes: the requests are short, so that one may tell whether a suspended member has
	// recovered.
	probes bool

	mu     sync.Mutex
	gates  []gate // of the members, in their order
	next   int    // the member that is preferred among equals
	inside int    // requests that have entered
	queue  *queue
}

// grant is the answer to one who waits: a place at a member, or an error.
type grant struct {
	member int
	worker *process
	err    error
}

// newRouter makes a router for requests of which each member has so many at once.
func newRouter(members []*member, places, bound int) *router {
	r := &router{members: members, bound: bound, queue: newQueue()}
	if !defence.On(defence.Bound) {
		places = bound
	}
	for range members {
		r.gates = append(r.gates, newGate(places))
	}
	return r
}

// enter admits a request, or refuses it because there are too many, of all keys or of
// its own.
func (r *router) enter(o *order) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	fair := defence.On(defence.Fairness)
	if r.inside >= r.bound || fair && r.queue.waiting(o.object) >= max(1, r.bound*3/4) {
		return errBusy
	}
	r.inside++
	return nil
}

// leave is the end of a request that was admitted.
func (r *router) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside--
}

func (r *router) entered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inside
}

// places is how many requests a member is given at a time.
func (r *router) places(member int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.gates[member].places)
}

// waiting is the number of requests without a place.
func (r *router) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queue.size
}

// place gives a request a place, waiting for one while that makes sense. The place is
// free again when the call has ended, see ended.
func (r *router) place(ctx context.Context, o *order) (grant, error) {
	if err := ctx.Err(); err != nil {
		return grant{}, err
	}
	g, w := r.try(o)
	if w == nil {
		return g, g.err
	}
	select {
	case g := <-w.granted:
		return g, g.err
	case <-ctx.Done():
		r.giveUp(w)
		return grant{}, ctx.Err()
	}
}

// try gives a request a place at once, or puts it into the queue.
func (r *router) try(o *order) (grant, *waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queue.size == 0 {
		if g, ok := r.take(o); ok {
			return g, nil
		}
	}
	if err := r.prospect(o); err != nil {
		return grant{err: err}, nil
	}
	w := &waiter{order: o, granted: make(chan grant, 1)}
	r.queue.push(w)
	r.serve() // what has changed since may have woken nobody
	return grant{}, w
}

// giveUp takes one who does not wait any more out of the queue, or frees his place.
func (r *router) giveUp(w *waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queue.remove(w) {
		return
	}
	if g := <-w.granted; g.err == nil {
		r.free(g.member, undecided)
	}
}

// take takes a place for a request; false if there is none.
func (r *router) take(o *order) (grant, bool) {
	now, best := time.Now(), -1
	var worker *process
	for i := range r.members {
		at := (r.next + i) % len(r.members)
		p := r.members[at].taking(now)
		if p == nil || o.only != nil && o.only != r.members[at] || !r.gates[at].free() || !r.probes && r.members[at].breaker.open() || r.spared(o, at) {
			continue
		}
		if best < 0 || r.gates[at].inside < r.gates[best].inside {
			best, worker = at, p
		}
	}
	if best < 0 {
		return grant{}, false
	}
	r.next = (best + 1) % len(r.members)
	r.gates[best].inside++
	r.members[best].breaker.enter()
	return grant{member: best, worker: worker}, true
}

// spared tells whether a request should rather wait than go to a member, since another
// one serves: the member has failed at it, or seems to hang.
func (r *router) spared(o *order, at int) bool {
	if o.only != nil {
		return false
	}
	if avoid := o.avoids(r.members[at]); avoid || r.members[at].stuck.Load() {
		return slices.ContainsFunc(r.members, func(m *member) bool {
			return m.serving() && !o.avoids(m) && (avoid || !m.stuck.Load())
		})
	}
	return false
}

// ended frees a place when its call has ended.
func (r *router) ended(member int, v verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free(member, v)
}

func (r *router) free(member int, v verdict) {
	now := time.Now()
	if r.gates[member].leave(now, v) {
		r.members[member].tellBusy(now, int(r.gates[member].places))
	}
	r.members[member].breaker.judge(now, v)
	r.serve()
}

// changed is called when the state of a member has changed.
func (r *router) changed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serve()
}

// serve gives those who wait the places that are free, or tells them that there will be
// none.
func (r *router) serve() {
	for w := r.queue.front(); w != nil; w = r.queue.front() {
		g, ok := r.take(w.order)
		if !ok {
			if g.err = r.prospect(w.order); g.err == nil {
				return
			}
		}
		r.queue.remove(w)
		w.granted <- g
	}
}

// prospect returns nil if there may be a place soon: a member takes requests, or is
// about to. It has those that do not started at once, since somebody asks for them.
func (r *router) prospect(o *order) error {
	members := r.members
	if o.only != nil {
		members = []*member{o.only}
	}
	var reasons []string
	var first error
	for _, m := range members {
		err := m.prospect()
		if err == nil {
			return nil
		}
		if first == nil || isOperator(first) && !isOperator(err) {
			first = err
		}
		reasons = append(reasons, err.Error())
	}
	for _, m := range members {
		m.demand()
	}
	if len(reasons) == 1 {
		return first
	}
	return &noneError{first: first, text: fmt.Sprintf("none of %d HSMs takes requests: %s", len(reasons), strings.Join(reasons, "; "))}
}

// noneError says of each member why it takes no requests. It unwraps to the first
// reason that may pass, or else to the first.
type noneError struct {
	first error
	text  string
}

func (e *noneError) Error() string { return e.text }
func (e *noneError) Unwrap() error { return e.first }
