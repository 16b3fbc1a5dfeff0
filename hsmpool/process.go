package hsmpool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/hsmpool/wire"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const (
	// drainGrace is how long a killed worker's last frames are waited for.
	drainGrace = 2 * time.Second
	// exitGrace is how long a worker may take to exit once its socket is closed.
	exitGrace = 5 * time.Second
)

// process is one worker process, from its start to its end.
//
// Three goroutines belong to it: the reader, which alone follows the worker's
// announcements and ends the process's table of calls; the writer; and the one that
// waits for the process to exit. end stops them.
type process struct {
	cfg    Config
	log    hclog.Logger
	cmd    *exec.Cmd
	socket *net.UnixConn
	conn   *wire.Conn
	calls  *callLog
	tally  *tally

	hello    chan struct{} // closed when the handshake is done
	flush    chan struct{} // wakes the writer
	lost     chan struct{} // closed when every call has been answered and none is taken
	written  chan struct{} // closed when the writer has ended
	exited   chan struct{} // closed when the process has been waited for
	greeting bool          // hello came; only the reader touches it
	served   atomic.Bool   // it has answered and goes on
	failing  atomic.Bool   // it has answered that it has to be replaced

	began    time.Time
	heard    atomic.Int64 // nanoseconds from began to its last message
	progress atomic.Pointer[workerv1.Progress]
	token    atomic.Pointer[workerv1.TokenInfo] // of the token that it selected

	mu        sync.Mutex
	pending   map[uint64]*call
	lastID    uint64
	condemned error // why it takes no more requests
}

// run gives a started command its goroutines.
func (p *process) run() {
	go p.read()
	go p.write()
	go func() {
		defer close(p.exited)
		if err := p.cmd.Wait(); err != nil {
			p.log.Debug("worker exited", "pid", p.pid(), "error", err)
		}
	}()
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ask carries out an order. ended is told when the worker is done with it, which may be
// after ask has returned.
func (p *process) ask(ctx context.Context, o *order, ended func(verdict)) (*workerv1.Reply, error) {
	c := newCall(o.management)
	c.movable, c.ended = o.repeat && !o.repeated, ended
	if !o.management && !o.recorded {
		return p.roundTrip(ctx, o.message, c)
	}
	c.late = o.late
	reply, err := p.manage(ctx, o.message, c)
	o.abandoned = c.abandoned()
	return reply, err
}

// manage makes a request whose calls leave entries. Its reply is returned only when these
// are durable.
func (p *process) manage(ctx context.Context, request *workerv1.ToWorker, c *call) (*workerv1.Reply, error) {
	reply, err := p.roundTrip(ctx, request, c)
	if err != nil {
		return nil, err
	}
	if err := p.calls.flush(ctx); err != nil {
		clear(reply.GetPlaintext())
		return nil, err
	}
	return reply, nil
}

// roundTrip sends a request and waits for its outcome, no longer than ctx lasts.
func (p *process) roundTrip(ctx context.Context, request *workerv1.ToWorker, c *call) (*workerv1.Reply, error) {
	if err := p.send(request, c); err != nil {
		if c.ended != nil && !errors.Is(err, errLost) {
			c.ended(undecided)
		}
		return nil, err
	}
	select {
	case o := <-c.done:
		return o.reply, o.err
	case <-ctx.Done():
		if c.abandon() {
			return nil, ctx.Err()
		}
		o := <-c.done
		return o.reply, o.err
	}
}

// send enters the call into the table and its request into the next batch. It never
// blocks.
func (p *process) send(request *workerv1.ToWorker, c *call) error {
	id, err := p.enter(c)
	if err != nil {
		return err
	}
	request.Id = id
	if err := p.conn.Append(request); err != nil {
		if p.take(id) != nil {
			return err
		}
		return errLost
	}
	notify(p.flush)
	return nil
}

// enter gives the call a number in the table.
func (p *process) enter(c *call) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.condemned != nil {
		return 0, errNotSent
	}
	p.lastID++
	p.pending[p.lastID] = c
	return p.lastID, nil
}

// take removes a call from the table; nil if it is not there.
func (p *process) take(id uint64) *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.pending[id]
	delete(p.pending, id)
	return c
}

// evacuate has those who wait for the worker and can ask another one do so. Their calls
// stay in the table until the worker is done with them.
func (p *process) evacuate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.pending {
		c.move()
	}
}

// write flushes batches until the process is lost. The yield lets callers that are
// about to append join the batch.
func (p *process) write() {
	defer close(p.written)
	for {
		select {
		case <-p.flush:
		case <-p.lost:
			return
		}
		runtime.Gosched()
		if err := p.conn.Flush(); err != nil {
			p.condemn(fmt.Errorf("worker socket: %w", err))
		}
	}
}

// read handles the worker's messages until its socket ends.
func (p *process) read() {
	for {
		m := &workerv1.FromWorker{}
		err := p.conn.Read(m)
		if err == nil {
			p.heard.Store(int64(time.Since(p.began)))
			err = p.handle(m)
		}
		if err != nil {
			p.finish(err)
			return
		}
	}
}

// handle handles one message. An error ends the process.
func (p *process) handle(m *workerv1.FromWorker) error {
	hello, ok := m.GetMessage().(*workerv1.FromWorker_Hello)
	if ok {
		return p.greet(hello.Hello)
	}
	if !p.greeting {
		return errors.New("the worker did not introduce itself")
	}
	switch m := m.GetMessage().(type) {
	case *workerv1.FromWorker_Reply:
		p.answer(m.Reply)
	case *workerv1.FromWorker_Call:
		p.calls.follow(m.Call)
	case *workerv1.FromWorker_Token:
		p.token.Store(m.Token)
		p.tally.learnToken(m.Token.GetState())
		p.calls.identify(p.cfg.identify(tokenInfo(m.Token)))
	case *workerv1.FromWorker_Progress:
		p.progress.Store(m.Progress)
		p.tally.learn(m.Progress.GetFigures(), time.Now())
	}
	return nil
}

func (p *process) greet(h *workerv1.Hello) error {
	if got := h.GetProtocolVersion(); got != wire.Version {
		return fmt.Errorf("the worker speaks version %d of the protocol, not %d: it is another build", got, wire.Version)
	}
	if !p.greeting {
		p.greeting = true
		close(p.hello)
	}
	return nil
}

// answer delivers a reply.
func (p *process) answer(r *workerv1.Reply) {
	if r.GetMore() {
		p.gather(r)
		return
	}
	c := p.take(r.GetId())
	if c == nil {
		clear(r.GetPlaintext())
		p.log.Error("worker answered a request that it was not sent", "id", r.GetId())
		return
	}
	if r.GetFailure().GetRestart() {
		p.failing.Store(true)
		p.condemn(failure(identity{}, ObjectID{}, r, nil))
	} else {
		p.served.Store(true)
	}
	if c.management {
		p.calls.name()
	}
	r.Objects = append(c.objects, r.GetObjects()...)
	c.deliver(outcome{reply: r})
}

// gather keeps the objects of a reply that another one follows.
func (p *process) gather(r *workerv1.Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.pending[r.GetId()]; c != nil && !c.abandoned() {
		c.objects = append(c.objects, r.GetObjects()...)
	}
}

// condemn has the process killed. Its last frames are still read, so that a call
// that had ended is recorded as it ended; the reader then finishes.
func (p *process) condemn(reason error) {
	p.mu.Lock()
	first := p.condemned == nil
	if first {
		p.condemned = reason
	}
	p.mu.Unlock()
	if first {
		p.kill()
		_ = p.socket.SetReadDeadline(time.Now().Add(drainGrace))
	}
}

// kill kills the process and what it has started: a command that prints a PIN.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it has exited
	select {
	case <-p.exited: // its number may be another's by now
	default:
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	}
}

// finish ends the table: every call left in it is lost. A management call that was
// announced and did not end is recorded as one without a reply.
func (p *process) finish(reason error) {
	p.condemn(fmt.Errorf("the worker was lost: %w", reason))
	p.mu.Lock()
	pending := p.pending
	p.pending = nil
	p.mu.Unlock()
	p.calls.abandon()
	for _, c := range pending {
		c.deliver(outcome{err: errLost})
	}
	close(p.lost)
}

// end kills the process if it has not exited, and waits for its goroutines. A process
// that not even SIGKILL ends (stuck in the kernel) is left behind.
func (p *process) end() {
	p.condemn(errClosed)
	<-p.lost
	_ = p.conn.Close()
	<-p.written
	if !waitFor(p.exited, exitGrace) {
		p.log.Error("worker does not exit although it was killed", "pid", p.pid())
	}
}

// waitFor tells whether c was closed within d.
func waitFor(c <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
		return false
	}
}

// reason returns why the process takes no more requests, or nil.
func (p *process) reason() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.condemned
}

// unanswered returns the number of calls in the table.
func (p *process) unanswered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pending)
}
