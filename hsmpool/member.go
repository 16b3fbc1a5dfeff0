package hsmpool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const (
	// failFast is the number of workers in a row that did not start, or were lost at
	// once, after which requests fail at once instead of waiting for the next.
	failFast = 2
)

// member is one HSM: the worker of the moment and the supervisor that replaces it.
type member struct {
	cfg  Config
	log  hclog.Logger
	pace *pace // only the supervisor's, once there is one

	current atomic.Pointer[process] // set while a worker is ready

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each change of what follows
	state    State
	reason   error // why the state is not Ready
	failures int   // workers in a row that did not start or were lost at once
	who      identity
	status   Status

	end     context.CancelFunc // tells the supervisor to end
	ended   chan struct{}      // closed when it has
	stopCtx context.Context    // bounds the worker's orderly end; set before end is called
}

func newMember(cfg Config) *member {
	return &member{
		cfg:     cfg,
		log:     cfg.Logger,
		pace:    newPace(),
		changed: make(chan struct{}),
		state:   Starting,
		reason:  errors.New("the worker is starting"),
		who:     cfg.anonymous(),
		ended:   make(chan struct{}),
	}
}

// run gives the member its supervisor. p is the first worker.
func (m *member) run(p *process) {
	ctx, end := context.WithCancel(context.Background())
	m.end = end
	go m.supervise(ctx, p)
}

// supervise keeps a worker running until ctx ends.
func (m *member) supervise(ctx context.Context, p *process) {
	defer close(m.ended)
	defer m.change(Stopped, errClosed, nil) // so that nobody waits for a worker any more
	for {
		if p != nil && !m.serve(ctx, p) {
			m.shutDown(p)
			return
		}
		if ctx.Err() != nil {
			return
		}
		var err error
		if p, err = m.start(ctx); err != nil && !m.failed(ctx, err) {
			return
		}
	}
}

// serve watches over a ready worker. It returns true once the worker has been lost
// and it is time for the next; false, with the worker still there, when ctx ends.
func (m *member) serve(ctx context.Context, p *process) bool {
	ready := time.Now()
	if !m.watch(ctx, p) {
		return false
	}
	now := time.Now()
	good := proved(now, ready, p.served.Load())
	m.count(good)
	m.change(Starting, p.reason(), nil)
	m.log.Warn("worker lost, starting another", "hsm", m.identity().hsmID, "pid", p.pid(), "reason", p.reason())
	p.end()
	pause(ctx, m.pace.afterLoss(now, good))
	return true
}

// failed handles a failed start. It returns true when it is time for the next one,
// false if there is none.
func (m *member) failed(ctx context.Context, err error) bool {
	var e *Error
	if errors.As(err, &e) && e.Class == Operator {
		m.change(Stopped, err, nil)
		m.log.Error("worker stopped until an operator has acted", "error", err)
		<-ctx.Done()
		return false
	}
	if ctx.Err() == nil {
		m.log.Error("worker start failed", "error", err)
	}
	m.count(false)
	m.change(Starting, err, nil)
	pause(ctx, m.pace.afterFailure())
	return true
}

// count counts a worker that came to nothing, or forgets such workers after one that did
// not.
func (m *member) count(good bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if good {
		m.failures = 0
	} else {
		m.failures++
	}
}

// pause waits for the next start, or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// start starts a worker and waits until it is ready and its start is on record.
func (m *member) start(ctx context.Context) (*process, error) {
	bounded, cancel := context.WithTimeout(ctx, m.cfg.StartTimeout)
	defer cancel()
	m.pace.start(time.Now())
	calls := &callLog{auditor: m.cfg.Auditor, log: m.log, fallback: m.identity()}
	p, err := spawn(m.cfg, m.log, calls)
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
		MaxInFlight: uint32(m.cfg.MaxInFlight),

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

// ready publishes a worker that has started.
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
	m.status.Sessions, m.status.Keys = reply.GetSessions(), reply.GetKeys()
	m.mu.Unlock()
	m.change(Ready, nil, p)
	m.log.Info("worker ready", "hsm", who.hsmID, "token", who.token.Label, "serial", who.token.Serial,
		"pid", p.pid(), "keys", reply.GetKeys(), "sessions", reply.GetSessions())
}

// change sets the state and wakes everybody who waits for one.
func (m *member) change(state State, reason error, p *process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state, m.reason = state, reason
	if p == nil {
		m.status.WorkerPID = 0
	}
	m.current.Store(p)
	close(m.changed)
	m.changed = make(chan struct{})
}

// shutDown has the worker log out and finalise its library, and waits for its end. One
// that hangs, or whose entries cannot be written, is killed.
func (m *member) shutDown(p *process) {
	m.change(Stopped, errClosed, nil)
	ctx, cancel := context.WithTimeout(m.stopCtx, m.cfg.HangTimeout)
	defer cancel()
	err := p.calls.flush(ctx)
	var reply *workerv1.Reply
	if err == nil {
		reply, err = p.manage(ctx, &workerv1.ToWorker{Request: &workerv1.ToWorker_Stop{Stop: &workerv1.StopRequest{}}}, newCall(true))
	}
	if err != nil {
		m.log.Warn("worker did not stop in order, killing it", "pid", p.pid(), "error", err)
	} else {
		if f := reply.GetFailure(); f != nil {
			m.log.Warn("the library was not finalised in order", "pid", p.pid(), "error", f.GetMessage())
		}
		waitFor(p.exited, exitGrace)
	}
	p.end()
}

// stop ends the supervisor. ctx bounds the worker's orderly end.
func (m *member) stop(ctx context.Context) {
	m.stopCtx = ctx
	m.end()
	<-m.ended
}

func (m *member) identity() identity {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.who
}

// served returns the token that the member has served; nothing before its first worker
// was ready.
func (m *member) served() TokenInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.status.ReadySince.IsZero() {
		return TokenInfo{}
	}
	return m.who.token
}

// describe returns the member's state.
func (m *member) describe() Status {
	var inFlight int
	if p := m.current.Load(); p != nil {
		inFlight = p.unanswered()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.status
	s.HSMID, s.ClusterID, s.Token = m.who.hsmID, m.who.clusterID, m.who.token
	s.Library, s.Profile = m.cfg.Library, m.cfg.Profile
	s.State, s.InFlight = m.state, uint32(inFlight)
	if m.reason != nil {
		s.Reason = m.reason.Error()
	}
	return s
}

// setKeys notes how many keys the worker knows.
func (m *member) setKeys(n uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Keys = n
}
