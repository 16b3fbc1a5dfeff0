package hsmpool

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/hsmpool/ration"
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
	tally   tally
	told    ration.Ration // lines of the log that say that it is busy

	current atomic.Pointer[process] // set while a worker is ready
	stuck   atomic.Bool             // it seems to hang
	// withdrawn is why it was taken out of service; nil if it was not.
	withdrawn atomic.Pointer[string]
	wanted    chan struct{} // told when somebody asks for a member that does not serve
	acted     chan struct{} // told when an operator has acted

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

// serving tells whether the member takes requests.
func (m *member) serving() bool {
	p := m.current.Load()
	return p != nil && p.reason() == nil && !m.breaker.open() && m.withdrawn.Load() == nil
}

// taking returns the worker if the member takes a request now, if only as a probe.
func (m *member) taking(now time.Time) *process {
	p := m.current.Load()
	if p == nil || p.reason() != nil || !m.breaker.ready(now) || m.withdrawn.Load() != nil {
		return nil
	}
	return p
}

// prospect returns nil if the member takes requests or is about to, or why it is no use
// to wait for it.
func (m *member) prospect() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch p, withdrawn := m.current.Load(), m.withdrawn.Load(); {
	case m.state == Stopped:
		return m.reason
	case withdrawn != nil:
		return m.withdrawal(*withdrawn)
	case m.state == Starting && m.failures >= failFast:
		return m.reason
	case p != nil && m.breaker.open():
		return m.suspension()
	}
	return nil
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

// setKeys notes how many keys the worker knows.
func (m *member) setKeys(n uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Keys = n
}
