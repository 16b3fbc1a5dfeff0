package hsmpool

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// maxManaging bounds the requests that make or destroy keys: one at work and those that
// wait for it. They take no place of the requests that use keys.
const maxManaging = 33

// Pool is the HSMs that serve together: one, so far. All methods may be called by
// many goroutines.
type Pool struct {
	member *member
	limit  int64
	// turn is held by the one management request of the moment, until the worker is
	// done with it, also if its caller has given up.
	turn    chan struct{}
	orphans *orphanage
	// abilities is what the token can do.
	abilities *abilities

	data       atomic.Int64 // requests in flight that use keys
	management atomic.Int64 // and that make and destroy them, with those that wait for turn
	closed     atomic.Bool
	idle       chan struct{} // told when the last request in flight is answered

	closing sync.Once
}

// Open starts the worker and returns when it serves. It logs in once at most. A start
// that fails is an Error, which tells why:
//
//   - ErrNoToken: no token is the one that was asked for;
//   - Function C_Login, with its RV: the login was refused; RV CKR_PIN_LOCKED without a
//     Function: it was not tried, because the token says that it is locked or that one
//     more wrong PIN locks it;
//   - context.DeadlineExceeded: it took longer than StartTimeout (class Unavailable) or
//     than ctx (class Timeout).
//
// After a login that was refused (class Operator) the caller must not simply try again,
// because HSMs lock after a few.
func Open(ctx context.Context, cfg Config) (*Pool, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("hsm config: %w", err)
	}
	m := newMember(cfg)
	first, err := m.start(ctx)
	if err != nil {
		clear(cfg.PIN.Secret)
		return nil, err
	}
	p := &Pool{
		member: m,
		limit:  int64(cfg.MaxInFlight),
		turn:   make(chan struct{}, 1),
		idle:   make(chan struct{}, 1),

		abilities: newAbilities(),
	}
	m.run(first)
	p.orphans = newOrphanage(p.destroyOrphan, orphanSettle, cfg.Logger)
	return p, nil
}

// Describe returns the state of every HSM.
func (p *Pool) Describe() []Status { return []Status{p.member.describe()} }

// Health returns nil, or why no HSM takes requests.
func (p *Pool) Health() error {
	s := p.member.describe()
	if s.State == Ready {
		return nil
	}
	return fmt.Errorf("hsm %s is %s: %s", s.HSMID, s.State, s.Reason)
}

// Close refuses new requests, waits for those in flight, and has the worker log out,
// finalise its library and exit. When ctx ends first the worker is killed, and the
// error says so. A PIN that the pool has is wiped. A second Close does nothing.
func (p *Pool) Close(ctx context.Context) error {
	var err error
	p.closing.Do(func() {
		p.closed.Store(true)
		p.orphans.stop()
		err = p.drain(ctx)
		p.member.stop(ctx)
		clear(p.member.cfg.PIN.Secret) // no worker is started any more
		if err == nil && ctx.Err() != nil {
			err = fmt.Errorf("closing the hsm pool: %w", ctx.Err())
		}
	})
	return err
}

// drain waits until nothing is in flight.
func (p *Pool) drain(ctx context.Context) error {
	for p.inFlight() > 0 {
		select {
		case <-p.idle:
		case <-ctx.Done():
			return fmt.Errorf("closing the hsm pool with %d requests in flight: %w", p.inFlight(), ctx.Err())
		}
	}
	return nil
}

func (p *Pool) inFlight() int64 { return p.data.Load() + p.management.Load() }

// run carries out an order within the limits of the pool.
func (p *Pool) run(ctx context.Context, o *order) (*workerv1.Reply, Trace, error) {
	flying, limit := &p.data, p.limit
	if o.management {
		flying, limit = &p.management, maxManaging
	}
	defer p.leave(flying)
	switch n := flying.Add(1); {
	case p.closed.Load():
		return nil, Trace{}, p.member.refusal(o, errClosed)
	case n > limit:
		return nil, Trace{}, p.member.refusal(o, errBusy)
	}
	o.message.RequestId = requestID(ctx)
	if o.management {
		return p.manage(ctx, o)
	}
	if o.recorded {
		if err := flush(ctx, p.member.cfg.Auditor); err != nil {
			return nil, Trace{}, p.member.refusal(o, err)
		}
	}
	return p.member.do(ctx, o)
}

func (p *Pool) leave(flying *atomic.Int64) {
	flying.Add(-1)
	if p.closed.Load() && p.inFlight() == 0 {
		notify(p.idle)
	}
}

// manage carries out a management order: one at a time, and only while HSM entries
// can be written.
func (p *Pool) manage(ctx context.Context, o *order) (*workerv1.Reply, Trace, error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, Trace{}, p.member.refusal(o, ctx.Err())
	}
	o.late = func() { <-p.turn }
	defer func() {
		if !o.abandoned {
			o.late()
		}
	}()
	if err := flush(ctx, p.member.cfg.Auditor); err != nil {
		return nil, Trace{}, p.member.refusal(o, err)
	}
	reply, trace, err := p.member.do(ctx, o)
	if reply != nil {
		p.member.setKeys(reply.GetKeys())
	}
	return reply, trace, err
}
