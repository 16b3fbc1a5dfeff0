package hsmpool

import (
	"context"
	"fmt"
	"time"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// compareKeys has operators know that a member which has started does not hold the same
// keys as another one: requests would depend on which of them is asked.
func (p *Pool) compareKeys(started *member, keys uint32) {
	for _, m := range p.members {
		s := m.describe()
		if m != started && s.State == Ready && s.Keys != keys {
			p.cfg.Logger.Warn("the HSMs of the cluster do not hold the same number of keys: see to their synchronisation, and that they are of one cluster",
				"hsm", started.identity().hsmID, "keys", keys, "other_hsm", s.HSMID, "other_keys", s.Keys)
		}
	}
}

// start starts a worker, waits until it is ready and its start is on record, and has it
// take requests.
func (m *member) start(ctx context.Context) (*process, error) {
	since := m.pool.graves.mark()
	p, err := m.bringUp(ctx)
	if err != nil {
		m.pool.graves.unmark()
		return nil, err
	}
	forget := func(id ObjectID) {
		bounded, cancel := context.WithTimeout(ctx, m.cfg.HangTimeout)
		defer cancel()
		p.forget(bounded, id)
	}
	m.pool.graves.publish(since, forget, func() { m.change(Ready, nil, p) })
	m.endStart()
	return p, nil
}

// endStart counts a start that has ended, and wakes those who wait for that.
func (m *member) endStart() {
	m.mu.Lock()
	m.attempts++
	m.mu.Unlock()
	m.pool.changed()
}

// bringUp starts a worker and has it select its token and log in.
func (m *member) bringUp(ctx context.Context) (*process, error) {
	bounded, cancel := context.WithTimeout(ctx, m.cfg.StartTimeout)
	defer cancel()
	m.pace.start(time.Now())
	calls := &callLog{auditor: m.cfg.Auditor, log: m.log, fallback: m.identity()}
	p, err := spawn(m.cfg, m.log, calls, &m.tally)
	if err != nil {
		return nil, &Error{Class: Unavailable, Err: err}
	}
	reply, err := p.begin(bounded, &workerv1.ToWorker{Request: &workerv1.ToWorker_Start{Start: m.startRequest()}})
	if err == nil {
		reply, err = m.login(bounded, p)
	}
	if err != nil {
		p.end()
		e := failure(orIdentity(calls.who.Load(), m.identity()), ObjectID{}, reply, fmt.Errorf("starting the worker: %w", err))
		if e.Class == Timeout && ctx.Err() == nil {
			e.Class = Unavailable // the start took too long, not the one who asked
		}
		return nil, e
	}
	p.served.Store(false) // what it answered so far was asked to start it
	m.ready(p, reply)
	return p, nil
}

func orIdentity(who *identity, fallback identity) identity {
	if who != nil {
		return *who
	}
	return fallback
}

// startRequest asks for the token that was configured, and after the first start for
// that very one: another token of the same label is another HSM, which is not to be
// given the PIN.
func (m *member) startRequest() *workerv1.StartRequest {
	selector := m.cfg.Token
	if selector.Serial == "" {
		selector.Serial = m.served().Serial
	}
	return &workerv1.StartRequest{
		Library:     m.cfg.Library,
		Token:       selector.proto(),
		Pin:         m.cfg.PIN.proto(),
		Profile:     m.cfg.Profile,
		Sessions:    uint32(m.cfg.Sessions),
		MaxInFlight: uint32(m.cfg.usingPlaces() + m.cfg.makingPlaces() + maxAside),

		ReportEveryMicros: uint64(m.cfg.reportEvery().Microseconds()),
	}
}

// begin waits for the handshake and makes the worker's first request, unless an
// entry of the worker before is not durable.
func (p *process) begin(ctx context.Context, request *workerv1.ToWorker) (*workerv1.Reply, error) {
	select {
	case <-p.hello:
	case <-p.lost:
		return nil, p.reason()
	case <-ctx.Done():
		return nil, fmt.Errorf("the worker did not introduce itself: %w", ctx.Err())
	}
	if err := p.calls.flush(ctx); err != nil {
		return nil, err
	}
	return p.settle(p.manage(ctx, request, newCall(true)))
}

// ready notes what there is to know of a worker that has started.
func (m *member) ready(p *process, reply *workerv1.Reply) {
	who := *p.calls.who.Load()
	m.mu.Lock()
	m.who = who
	if !m.status.ReadySince.IsZero() {
		m.status.Restarts++
	}
	m.status.ReadySince = time.Now()
	m.status.WorkerPID = p.pid()
	m.status.RebootCounter = p.calls.counter.Load()
	m.status.Keys = reply.GetKeys()
	m.mu.Unlock()
	m.pool.compareKeys(m, reply.GetKeys())
	m.log.Info("worker ready", "hsm", who.hsmID, "token", who.token.Label, "serial", who.token.Serial,
		"pid", p.pid(), "keys", reply.GetKeys(), "sessions", reply.GetSessions())
}

// startup is what has become of the starts of a member so far.
type startup struct {
	ready  bool  // it takes requests
	over   bool  // the first start has ended
	reason error // why it does not take requests
}

func (m *member) startup() startup {
	m.mu.Lock()
	defer m.mu.Unlock()
	return startup{ready: m.state == Ready, over: m.tried, reason: m.reason}
}
