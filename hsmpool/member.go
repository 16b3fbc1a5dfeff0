package hsmpool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/hsmpool/ration"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const (
	// failFast is the number of workers in a row that did not start, or were lost at
	// once, after which requests fail at once instead of waiting for the next.
	failFast = 2
	// demandDelay is the least time from a start that failed to the next one, which
	// somebody asks for.
	demandDelay = 400 * time.Millisecond
)

// member is one HSM: the worker of the moment and the supervisor that replaces it.
type member struct {
	cfg     Config
	pool    *Pool
	log     hclog.Logger
	pace    *pace // only the supervisor's
	breaker *breaker
	told    ration.Ration // lines of the log that say that it is busy

	current atomic.Pointer[process] // set while a worker is ready
	stuck   atomic.Bool             // it seems to hang
	wanted  chan struct{}           // told when somebody asks for a member that does not serve
	acted   chan struct{}           // told when an operator has acted

	mu       sync.Mutex
	state    State
	reason   error // why the state is not Ready
	failures int   // workers in a row that did not start or were lost at once
	tried    bool  // the first start has ended
	attempts int   // starts that have ended
	who      identity
	status   Status

	end     context.CancelFunc // tells the supervisor to end
	ended   chan struct{}      // closed when it has
	stopCtx context.Context    // bounds the worker's orderly end; set before end is called
}

func newMember(cfg Config, pool *Pool) *member {
	return &member{
		cfg:     cfg,
		pool:    pool,
		log:     cfg.Logger,
		pace:    newPace(),
		breaker: newBreaker(),
		wanted:  make(chan struct{}, 1),
		acted:   make(chan struct{}, 1),
		state:   Starting,
		reason:  errors.New("the worker is starting"),
		who:     cfg.anonymous(),
		ended:   make(chan struct{}),
	}
}

// run gives the member its supervisor.
func (m *member) run() {
	ctx, end := context.WithCancel(context.Background())
	m.end = end
	go m.supervise(ctx)
}

// supervise keeps a worker running until ctx ends.
func (m *member) supervise(ctx context.Context) {
	defer close(m.ended)
	defer func() { m.change(Stopped, errClosed, nil) }() // so that nobody waits for a worker any more
	for ctx.Err() == nil {
		p, err := m.start(ctx)
		if err != nil {
			m.failed(ctx, err)
			continue
		}
		if !m.serve(ctx, p) {
			m.shutDown(p)
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
	if p.failing.Load() {
		m.breaker.judge(now, bad)
	}
	m.change(Starting, p.reason(), nil)
	m.log.Warn("worker lost, starting another", "hsm", m.identity().hsmID, "pid", p.pid(), "reason", p.reason())
	p.end()
	if !defence.On(defence.Replacement) {
		<-ctx.Done()
	}
	m.pause(ctx, m.pace.afterLoss(now, good))
	return true
}

// failed handles a failed start. It returns when it is time for the next one.
func (m *member) failed(ctx context.Context, err error) {
	state, next := Starting, (<-chan struct{})(nil)
	if isOperator(err) {
		state, next = Stopped, m.acted
		m.log.Error("worker stopped until an operator has acted", "hsm", m.identity().hsmID, "error", err)
	} else if ctx.Err() == nil {
		m.log.Error("worker start failed", "hsm", m.identity().hsmID, "error", err)
	}
	m.count(false)
	m.change(state, err, nil)
	m.endStart()
	select {
	case <-m.pool.hold: // until then nobody wants another start
	case <-ctx.Done():
		return
	}
	if next == nil {
		m.pause(ctx, m.pace.afterFailure())
		return
	}
	select {
	case <-next:
		m.change(Starting, errors.New("the worker is started again, since an operator has acted"), nil)
	case <-ctx.Done():
	}
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

// pause waits for the next start. After demandDelay it ends early when somebody asks for
// the member.
func (m *member) pause(ctx context.Context, d time.Duration) {
	select {
	case <-m.wanted: // long ago
	default:
	}
	if wait(ctx, min(d, demandDelay)) != nil {
		return
	}
	rest := time.NewTimer(d - demandDelay)
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-m.wanted:
	case <-ctx.Done():
	}
}

// demand has a worker that is not started for a while started soon.
func (m *member) demand() { notify(m.wanted) }

// wait returns nil after a while, or ctx's error when it ends first.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
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
	m.status.Sessions, m.status.Keys = reply.GetSessions(), reply.GetKeys()
	m.mu.Unlock()
	m.pool.compareKeys(m, reply.GetKeys())
	m.log.Info("worker ready", "hsm", who.hsmID, "token", who.token.Label, "serial", who.token.Serial,
		"pid", p.pid(), "keys", reply.GetKeys(), "sessions", reply.GetSessions())
}

// change sets the state and wakes everybody who waits for one.
func (m *member) change(state State, reason error, p *process) {
	m.mu.Lock()
	m.state, m.reason = state, reason
	m.tried = m.tried || p != nil || m.failures > 0
	if p == nil {
		m.status.WorkerPID = 0
	}
	m.current.Store(p)
	m.mu.Unlock()
	m.pool.changed()
}

// tellBusy has operators know that an HSM says that it has too much to do.
func (m *member) tellBusy(now time.Time, places int) {
	if skipped, ok := m.told.Take(now); ok {
		m.log.Warn("the HSM says that it is busy, and is asked less for a while: see what else uses it",
			"hsm", m.identity().hsmID, "requests_at_a_time", places, "said_since_the_last_line", skipped)
	}
}

// resume has a member that is stopped started again, since an operator has acted.
func (m *member) resume() { notify(m.acted) }

// serving tells whether the member takes requests.
func (m *member) serving() bool {
	p := m.current.Load()
	return p != nil && p.reason() == nil && !m.breaker.open()
}

// taking returns the worker if the member takes a request now, if only as a probe.
func (m *member) taking(now time.Time) *process {
	p := m.current.Load()
	if p == nil || p.reason() != nil || !m.breaker.ready(now) {
		return nil
	}
	return p
}

// prospect returns nil if the member takes requests or is about to, or why it is no use
// to wait for it.
func (m *member) prospect() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch p := m.current.Load(); {
	case m.state == Stopped, m.state == Starting && m.failures >= failFast:
		return m.reason
	case p != nil && m.breaker.open():
		return m.suspension()
	}
	return nil
}

// suspension says why the member is suspended. Its caller holds mu.
func (m *member) suspension() error {
	return &Error{
		Class: Unavailable, HSM: m.who.hsmID, Token: m.who.token.Label,
		Err: errSuspended, Hint: "it is probed every second or so; if that goes on, see to the HSM",
	}
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
	reason := m.reason
	if s.State == Ready && m.breaker.open() {
		s.State, reason = Suspended, m.suspension()
	}
	if reason != nil {
		s.Reason = reason.Error()
	}
	return s
}

// setKeys notes how many keys the worker knows.
func (m *member) setKeys(n uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Keys = n
}
