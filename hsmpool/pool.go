package hsmpool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// maxManaging bounds the requests that make or destroy keys: one at work and those that
// wait for it. They take no place of the requests that use keys.
const maxManaging = 33

// Pool is the HSMs that serve together, its members: each has the same keys. All
// methods may be called by many goroutines.
type Pool struct {
	cfg     Config
	members []*member
	// using, making and managing give places to requests that use keys, to those that
	// make pairs that are handed out, and to those that make and destroy keys.
	using, making, managing *router
	// turn is held by the one management request of the moment, until the worker is
	// done with it, also if its caller has given up.
	turn    chan struct{}
	orphans *orphanage
	// pin is what is known of the PIN that the members share.
	pin *clusterPIN
	// unlocking is held by the one CheckUnlock of the moment.
	unlocking chan struct{}
	// abilities is what the tokens can do.
	abilities *abilities
	// graves are the keys destroyed of late, for members that start meanwhile.
	graves graves

	inFlight atomic.Int64
	closed   atomic.Bool
	idle     chan struct{} // told when the last request in flight is answered
	// hold is closed when members may go on trying to start after a failure.
	hold chan struct{}
	// news is closed and replaced when the state of a member has changed.
	news atomic.Pointer[chan struct{}]
	// late counts what goes on after its caller has given up.
	late sync.WaitGroup

	closing sync.Once
}

// Open starts the workers and returns when one of them serves. Each member logs in once
// at most. A start that fails is an Error, which tells why:
//
//   - ErrNoToken: no token is the one that was asked for;
//   - Function C_Login, with its RV: the login was refused; RV CKR_PIN_LOCKED or
//     CKR_PIN_INCORRECT without a Function: it was not tried, because the token says that it
//     is locked or that one more wrong PIN locks it, or because it has refused that PIN before;
//   - context.DeadlineExceeded: it took longer than StartTimeout (class Unavailable) or
//     than ctx (class Timeout).
//
// After a login that was refused (class Operator) the caller must not simply try again,
// because HSMs lock after a few.
func Open(ctx context.Context, cfg Config) (*Pool, error) {
	p, err := newPool(cfg)
	if err != nil {
		return nil, err
	}
	if err := p.Await(ctx, 1); err != nil {
		ended, cancel := context.WithCancel(ctx)
		cancel() // nothing is in flight
		_ = p.Close(ended)
		return nil, err
	}
	close(p.hold)
	return p, nil
}

// Start starts the workers and does not wait for them: they come up in the background,
// and are tried again while they do not. An error is one of the config.
func Start(cfg Config) (*Pool, error) {
	p, err := newPool(cfg)
	if err != nil {
		return nil, err
	}
	close(p.hold)
	return p, nil
}

func newPool(cfg Config) (*Pool, error) {
	cfg, err := cfg.withDefaults()
	if err == nil {
		err = cfg.PIN.check()
	}
	if err != nil {
		clear(cfg.PIN.Secret) // the copy
		return nil, fmt.Errorf("hsm config: %w", err)
	}
	p := &Pool{
		cfg:  cfg,
		turn: make(chan struct{}, 1), idle: make(chan struct{}, 1), hold: make(chan struct{}),
		unlocking: make(chan struct{}, 1), pin: newClusterPIN(),
		abilities: newAbilities(),
	}
	for _, c := range cfg.members() {
		p.members = append(p.members, newMember(c, p))
	}
	p.using = newRouter(p.members, cfg.usingPlaces(), cfg.MaxInFlight)
	p.using.probes = true
	p.making = newRouter(p.members, cfg.makingPlaces(), cfg.MaxInFlight)
	p.managing = newRouter(p.members, 1, maxManaging)
	p.news.Store(new(make(chan struct{})))
	p.orphans = newOrphanage(p.destroyOrphan, orphanSettle, cfg.Logger)
	for _, m := range p.members {
		m.run()
	}
	return p, nil
}

// changed wakes all who wait for a member.
func (p *Pool) changed() {
	close(*p.news.Swap(new(make(chan struct{}))))
	for _, r := range []*router{p.using, p.making, p.managing} {
		r.changed()
	}
}

// Await returns nil once n members take requests at the same time, or why that is not to
// be expected: the error of one whose first start has failed, if too few others are left, and
// of one that an operator has to see to rather than of another; or ctx's end.
func (p *Pool) Await(ctx context.Context, n int) error {
	if n > len(p.members) {
		return &Error{Class: Unavailable, Err: fmt.Errorf("%d HSMs are wanted of a cluster of %d", n, len(p.members))}
	}
	for {
		news := *p.news.Load()
		ready, hopeful, why := p.startup()
		switch {
		case ready >= n:
			return nil
		case ready+hopeful < n:
			return why
		}
		select {
		case <-news:
		case <-ctx.Done():
			return &Error{Class: Timeout, Err: fmt.Errorf("waiting for the HSM: %w", ctx.Err())}
		}
	}
}

// startup tells how many members take requests, how many have not yet failed to start, and
// why others have.
func (p *Pool) startup() (ready, hopeful int, why error) {
	for _, m := range p.members {
		switch s := m.startup(); {
		case s.ready:
			ready++
		case !s.over:
			hopeful++
		case why == nil || isOperator(s.reason) && !isOperator(why):
			why = s.reason
		}
	}
	return ready, hopeful, why
}

func isOperator(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Class == Operator
}

// Health returns nil if an HSM takes requests, or why none does, as far as it is known: none
// is asked.
func (p *Pool) Health() error {
	var why []error
	for _, m := range p.members {
		s := m.describe()
		if s.State == Ready {
			return nil
		}
		why = append(why, fmt.Errorf("hsm %s is %s: %s", s.HSMID, s.State, s.Reason))
	}
	return errors.Join(why...)
}

// Close refuses new requests, waits for those in flight, and has the workers log out,
// finalise their libraries and exit. When ctx ends first they are killed, and the
// error says so. A PIN that the pool has is wiped. A second Close does nothing.
func (p *Pool) Close(ctx context.Context) error {
	var err error
	p.closing.Do(func() {
		p.closed.Store(true)
		p.orphans.stop()
		err = p.drain(ctx)
		var members sync.WaitGroup
		for _, m := range p.members {
			members.Go(func() { m.stop(ctx) })
		}
		members.Wait()
		p.late.Wait()
		clear(p.cfg.PIN.Secret) // no worker is started any more
		if err == nil && ctx.Err() != nil {
			err = fmt.Errorf("closing the hsm pool: %w", ctx.Err())
		}
	})
	return err
}

// drain waits until nothing is in flight.
func (p *Pool) drain(ctx context.Context) error {
	for p.inFlight.Load() > 0 {
		select {
		case <-p.idle:
		case <-ctx.Done():
			return fmt.Errorf("closing the hsm pool with %d requests in flight: %w", p.inFlight.Load(), ctx.Err())
		}
	}
	return nil
}

// run carries out an order, and says how long that took.
func (p *Pool) run(ctx context.Context, o *order) (*workerv1.Reply, Trace, error) {
	reply, trace, err := p.carryOut(ctx, o)
	trace.Waited, trace.Took = o.waited, o.took
	return reply, trace, err
}

// carryOut carries out an order within the limits of the pool.
func (p *Pool) carryOut(ctx context.Context, o *order) (*workerv1.Reply, Trace, error) {
	p.inFlight.Add(1)
	defer p.leave()
	if p.closed.Load() {
		return nil, Trace{}, p.refusal(o, errClosed)
	}
	o.message.RequestId = requestID(ctx)
	r := p.routerOf(o)
	if err := r.enter(o); err != nil {
		return nil, Trace{}, p.refusal(o, err)
	}
	defer r.leave()
	if o.management {
		return p.manage(ctx, o)
	}
	if o.recorded {
		if err := flush(ctx, p.cfg.Auditor); err != nil {
			return nil, Trace{}, p.refusal(o, err)
		}
	}
	return p.do(ctx, o)
}

// routerOf returns the router for orders like this.
func (p *Pool) routerOf(o *order) *router {
	switch {
	case o.management:
		return p.managing
	case o.message.GetGeneratePair() != nil, o.message.GetSelfTest() != nil:
		return p.making
	}
	return p.using
}

func (p *Pool) leave() {
	if p.inFlight.Add(-1) == 0 && p.closed.Load() {
		notify(p.idle)
	}
}
