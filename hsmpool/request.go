package hsmpool

import (
	"context"
	"errors"

	"github.com/strongroom-kms/strongroom/hsmpool/wire"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// order is a request on its way to a worker.
type order struct {
	message *workerv1.ToWorker
	object  ObjectID
	// management calls leave HSM entries; their reply waits for these.
	management bool
	// recorded calls leave HSM entries too, but of objects that do not outlast them: many
	// are carried out at a time.
	recorded bool
	// repeat: asking twice does no harm.
	repeat bool
	// sent is set once a worker may have seen the request.
	sent bool
	// late is called when a management request that was abandoned has ended;
	// abandoned says that it was, and that late is left to the worker's reader.
	late      func()
	abandoned bool
}

// do carries an order to the worker of the moment, waiting for one if none is ready.
// If that one is lost, an order that may be repeated is asked once more. A reply that
// says that the order failed is returned beside the error.
func (m *member) do(ctx context.Context, o *order) (*workerv1.Reply, Trace, error) {
	for {
		p, err := m.await(ctx)
		if err != nil {
			return nil, Trace{}, m.refusal(o, err)
		}
		reply, err := p.ask(ctx, o)
		if errors.Is(err, errNotSent) {
			continue
		}
		if (errors.Is(err, errLost) || reply.GetFailure().GetRestart()) && o.repeat && !o.sent {
			o.sent = true
			continue
		}
		o.sent = !errors.Is(err, errBusy)
		who := *p.calls.who.Load()
		trace := Trace{HSM: who.hsmID, Function: reply.GetFunction(), RV: reply.GetRv()}
		if err != nil || reply.GetFailure() != nil {
			return reply, trace, failure(who, o.object, reply, err)
		}
		return reply, trace, nil
	}
}

// await returns the ready worker, waiting for it while one is being started. It
// fails at once if there will be none soon.
func (m *member) await(ctx context.Context) (*process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for {
		if p := m.current.Load(); p != nil && p.reason() == nil {
			return p, nil
		}
		changed, err := m.prospect()
		if err != nil {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// prospect returns the channel that is closed at the next change, or why waiting for
// a worker is no use.
func (m *member) prospect() (<-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.current.Load(); p != nil && p.reason() == nil {
		now := make(chan struct{})
		close(now)
		return now, nil
	}
	if m.state == Stopped || m.failures >= failFast {
		return nil, m.reason
	}
	return m.changed, nil
}

// refusal is the error of an order that no worker was asked.
func (m *member) refusal(o *order, err error) error {
	var e *Error
	if errors.As(err, &e) {
		again := *e
		again.Object = o.object
		return &again
	}
	return failure(m.identity(), o.object, nil, err)
}

// failure returns the Error for a reply that says so, or for err.
func failure(who identity, object ObjectID, reply *workerv1.Reply, err error) *Error {
	e := &Error{Class: errorClass(err), HSM: who.hsmID, Token: who.token.Label, Object: object, Err: err}
	if f := reply.GetFailure(); f != nil {
		e.Class, e.Hint = replyClass(f.GetClass()), f.GetHint()
		e.Function, e.RV = reply.GetFunction(), reply.GetRv()
		if err == nil {
			e.Err = errors.New(f.GetMessage())
		}
	}
	return e
}

func errorClass(err error) Class {
	var unrecorded *recordError
	switch {
	case errors.As(err, &unrecorded):
		return Unavailable
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Timeout
	case errors.Is(err, errBusy):
		return Busy
	case errors.Is(err, wire.ErrFrame):
		return Internal
	}
	return Unavailable
}

func replyClass(c workerv1.FailureClass) Class {
	switch c {
	case workerv1.FailureClass_FAILURE_CLASS_CALLER:
		return Caller
	case workerv1.FailureClass_FAILURE_CLASS_OBJECT_MISSING:
		return ObjectMissing
	case workerv1.FailureClass_FAILURE_CLASS_BUSY:
		return Busy
	case workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE:
		return Unavailable
	case workerv1.FailureClass_FAILURE_CLASS_OPERATOR:
		return Operator
	case workerv1.FailureClass_FAILURE_CLASS_UNSUPPORTED:
		return Unsupported
	case workerv1.FailureClass_FAILURE_CLASS_MISMATCH:
		return Mismatch
	}
	return Internal
}
