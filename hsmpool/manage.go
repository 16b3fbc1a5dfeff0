package hsmpool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const (
	// spreadTimeout bounds how long other members are given to know a new key.
	spreadTimeout = 10 * time.Second
	// firstLook and maxLook are the pauses between two looks at a member.
	firstLook = 5 * time.Millisecond
	maxLook   = 250 * time.Millisecond
)

// manage carries out a management order: one at a time, and only while HSM entries
// can be written.
func (p *Pool) manage(ctx context.Context, o *order) (*workerv1.Reply, Trace, error) {
	began := time.Now()
	end, err := p.takeTurn(ctx)
	o.waited += time.Since(began)
	if err != nil {
		return nil, Trace{}, p.refusal(o, err)
	}
	o.late = func() { p.finish(o, end) }
	defer func() {
		if o.abandoned {
			return
		}
		select {
		case <-p.finish(o, end):
		case <-ctx.Done():
		}
	}()
	if err := flush(ctx, p.cfg.Auditor); err != nil {
		return nil, Trace{}, p.refusal(o, err)
	}
	return p.do(ctx, o)
}

// finish ends a management order: what it has left to do at other members may take
// longer than its caller waits, but no other order begins before.
func (p *Pool) finish(o *order, end func()) (done <-chan struct{}) {
	finished := make(chan struct{})
	p.late.Go(func() {
		defer close(finished)
		defer end()
		p.settle(o)
	})
	return finished
}

// takeTurn waits until no other management order is under way. end gives the turn to the
// next.
func (p *Pool) takeTurn(ctx context.Context) (end func(), err error) {
	if !defence.On(defence.OneChange) {
		return func() {}, nil
	}
	select {
	case p.turn <- struct{}{}:
		return func() { <-p.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// settle has the other members drop the handle of a key that was, or may have been,
// destroyed: another key may be given it. A worker that cannot be told is replaced.
func (p *Pool) settle(o *order) {
	if o.message.GetDestroy() == nil || len(o.tried) == 0 || !defence.On(defence.Forgetting) {
		return
	}
	p.graves.add(o.object)
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.HangTimeout)
	defer cancel()
	var told sync.WaitGroup
	for _, m := range p.members {
		if worker := m.current.Load(); worker != nil && m != o.tried[len(o.tried)-1] {
			told.Go(func() { m.setKeys(worker.forget(ctx, o.object)) })
		}
	}
	told.Wait()
}

// forget has a worker drop the handle of a key. It returns how many it knows then.
func (p *process) forget(ctx context.Context, id ObjectID) (keys uint32) {
	message := &workerv1.ToWorker{Request: &workerv1.ToWorker_Forget{Forget: &workerv1.ForgetRequest{ObjectId: id[:]}}}
	reply, err := p.roundTrip(ctx, message, newCall(false))
	if err != nil {
		p.condemn(fmt.Errorf("it was not told that the key %s is destroyed: %w", id, err))
	}
	return reply.GetKeys()
}

// spread waits until enough members know a new key.
func (p *Pool) spread(ctx context.Context, o *order) error {
	if !defence.On(defence.Availability) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, spreadTimeout)
	knows := make(chan bool)
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel()
	for _, m := range p.members {
		if m != o.tried[len(o.tried)-1] {
			looking.Go(func() { m.await(ctx, o.object, knows) })
		}
	}
	for known := 1; known < p.cfg.Availability; known++ {
		select {
		case <-knows:
		case <-ctx.Done():
			e := p.refusal(o, fmt.Errorf("%d of %d HSMs know the new key, which is destroyed", known, p.cfg.Availability))
			e.Hint = "see to the HSMs that do not serve, and to the synchronisation of the cluster"
			return e
		}
	}
	return nil
}

// await tells knows when the member has a key, which it looks for until ctx ends.
func (m *member) await(ctx context.Context, id ObjectID, knows chan<- bool) {
	for pause := firstLook; !m.locates(ctx, id); pause = min(2*pause, maxLook) {
		if wait(ctx, pause) != nil {
			return
		}
	}
	select {
	case knows <- true:
	case <-ctx.Done():
	}
}

// locates tells whether a member has a key.
func (m *member) locates(ctx context.Context, id ObjectID) bool {
	worker := m.current.Load()
	if worker == nil || m.withdrawn.Load() != nil {
		return false
	}
	locate := &workerv1.ToWorker{Request: &workerv1.ToWorker_Locate{Locate: &workerv1.LocateRequest{ObjectId: id[:]}}}
	reply, err := worker.roundTrip(ctx, locate, newCall(false))
	if err != nil || reply.GetFailure() != nil {
		return false
	}
	m.setKeys(reply.GetKeys())
	return true
}

// canSpread waits for as many members as a new key has to be known to, and refuses one
// that too few would know.
func (p *Pool) canSpread(ctx context.Context, id ObjectID) error {
	serving := p.await(ctx, p.cfg.Availability)
	if serving >= p.cfg.Availability || serving == 0 || !defence.On(defence.Availability) {
		return nil // if there is none that is what will be said
	}
	e := p.internal(id, fmt.Errorf("%d HSMs serve, and a new key must be on %d", serving, p.cfg.Availability))
	e.Class, e.Hint, e.Unasked = Unavailable, "see to the HSMs that do not serve", true
	return e
}

// await waits until so many members serve, as long as that may be soon. It returns how
// many do.
func (p *Pool) await(ctx context.Context, wanted int) (serving int) {
	for {
		news := *p.news.Load()
		coming := 0
		serving = 0
		for _, m := range p.members {
			switch {
			case m.current.Load() != nil && m.withdrawn.Load() == nil:
				serving++
			case m.prospect() == nil:
				coming++
			}
		}
		if serving >= wanted || coming == 0 {
			return serving
		}
		select {
		case <-news:
		case <-ctx.Done():
			return serving
		}
	}
}

// errOrphan refuses an id under which there may be a key.
var errOrphan = errors.New("an earlier generation or import of this id failed and is being undone: choose a new id")

// makeKey has a key made, waits until enough members know it, and has what may be left of
// a failure destroyed.
func (p *Pool) makeKey(ctx context.Context, id ObjectID, message *workerv1.ToWorker) (*workerv1.Reply, Trace, error) {
	o := &order{object: id, management: true, message: message}
	began := time.Now()
	err := p.canSpread(ctx, id)
	o.waited = time.Since(began)
	if err != nil {
		return nil, Trace{Waited: o.waited}, err
	}
	reply, trace, err := p.run(ctx, o)
	if err == nil {
		asked := time.Now()
		err = p.spread(ctx, o)
		trace.Took += time.Since(asked)
	}
	if err != nil && len(o.tried) > 0 && unknownOutcome(err) && defence.On(defence.OrphanHunt) {
		p.orphans.add(id, requestID(ctx))
	}
	return reply, trace, err
}

// unknownOutcome tells whether a failed generation may have left a key: it may unless
// the worker itself said why it failed and has cleaned up.
func unknownOutcome(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Class == Unavailable || e.Class == Timeout)
}

// destroyOrphan destroys what a failed generation may have left.
func (p *Pool) destroyOrphan(ctx context.Context, id ObjectID) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.StartTimeout)
	defer cancel()
	_, err := p.Destroy(ctx, id)
	return err
}
