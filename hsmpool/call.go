package hsmpool

import (
	"errors"
	"sync/atomic"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

var (
	// errLost: the worker was lost before it answered. The request may have been
	// carried out.
	errLost = errors.New("the worker was lost before it answered")
	// errNotSent: the worker was lost before the request was sent.
	errNotSent = errors.New("the worker takes no more requests")
	// errBusy: as many requests as may be are unanswered.
	errBusy = errors.New("too many requests are in flight")
	// errMoved: the worker has not answered for long, and another one is asked.
	errMoved = errors.New("the worker has not answered for long")
	// errSuspended: the HSM answers and keeps failing.
	errSuspended = errors.New("the hsm keeps failing and is suspended")
	errClosed    = errors.New("the pool is closed")
)

// outcome is what becomes of a call: a reply, or an error.
type outcome struct {
	reply *workerv1.Reply
	err   error
}

// The states of a call. Whoever moves it out of waiting has decided its end.
const (
	callWaiting int32 = iota
	callAnswered
	callAbandoned
)

// call is a request that a worker has not answered. It is answered by whoever takes
// it out of its worker's table, so once.
type call struct {
	management bool
	// movable: another worker may be asked while this one has not answered.
	movable bool
	state   atomic.Int32
	done    chan outcome
	// objects are those of the replies so far; only the reader touches them.
	objects []*workerv1.TokenObject
	// late, if not nil, is called when a call that was abandoned has ended.
	late func()
	// ended, if not nil, is told what the end of the call says of the HSM, when the
	// worker is done with it.
	ended func(verdict)
}

func newCall(management bool) *call {
	return &call{management: management, done: make(chan outcome, 1)}
}

// deliver answers the call, with which the worker is done. If nobody waits any more,
// secrets in the reply are wiped.
func (c *call) deliver(o outcome) {
	if c.ended != nil {
		c.ended(verdictOn(o))
	}
	if c.state.CompareAndSwap(callWaiting, callAnswered) {
		c.done <- o
		return
	}
	clear(o.reply.GetPlaintext())
	if c.late != nil {
		c.late()
	}
}

// move has the one who waits ask another worker. What this one still answers is wiped.
func (c *call) move() {
	if c.movable && c.state.CompareAndSwap(callWaiting, callAnswered) {
		c.done <- outcome{err: errMoved}
	}
}

// abandon tells that nobody waits any more. It returns false if the call has been
// answered already.
func (c *call) abandon() bool {
	return c.state.CompareAndSwap(callWaiting, callAbandoned)
}

// abandoned tells whether the caller gave up.
func (c *call) abandoned() bool { return c.state.Load() == callAbandoned }

// notify wakes the one who waits on a channel of capacity one.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
