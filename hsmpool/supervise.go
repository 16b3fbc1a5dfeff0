package hsmpool

import (
	"context"
	"errors"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

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

// resume has a member that is stopped started again, since an operator has acted.
func (m *member) resume() { notify(m.acted) }

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
