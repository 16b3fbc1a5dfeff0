package hsmpool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
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
	// only, if not nil, is the one member that it is for.
	only *member
	// tried are the members whose workers may have seen the request, in that order, and
	// missed those of them that have no such key.
	tried, missed []*member
	// repeated: a fault was met, and the request made once more.
	repeated bool
	// waited is how long it has waited for a place, took how long workers were asked.
	waited, took time.Duration
	// late is called when a management request that was abandoned has ended;
	// abandoned says that it was, and that late is left to the worker's reader.
	late      func()
	abandoned bool
}

// avoids tells whether a member is not to be asked while there is another: one that does
// not have the key, or has failed.
func (o *order) avoids(m *member) bool {
	if len(o.missed) > 0 {
		return slices.Contains(o.missed, m)
	}
	return slices.Contains(o.tried, m)
}

// do carries an order to the member that is least busy, waiting for a place there. An
// order that met a fault and may be repeated is asked once more, of another member if one
// serves. A reply that says that the order failed is returned beside the error.
func (p *Pool) do(ctx context.Context, o *order) (*workerv1.Reply, Trace, error) {
	router := p.routerOf(o)
	for {
		began := time.Now()
		at, err := router.place(ctx, o)
		placed := time.Now()
		o.waited += placed.Sub(began)
		if err != nil {
			return nil, Trace{}, p.refusal(o, err)
		}
		m := p.members[at.member]
		o.tried = append(o.tried, m) // before, because a call that is abandoned may end at once
		reply, err := at.worker.ask(ctx, o, func(v verdict) { router.ended(at.member, v) })
		o.took += time.Since(placed)
		if errors.Is(err, errNotSent) {
			o.tried = o.tried[:len(o.tried)-1]
			continue
		}
		if isMissing(reply) {
			o.missed = append(o.missed, m)
		}
		if p.again(o, reply, err) {
			clear(reply.GetPlaintext())
			continue
		}
		return m.answer(at.worker, o, reply, err)
	}
}

// again tells whether an order is to be asked once more: one that may be repeated, after
// a fault, once; and any for whose key a member has looked in vain, of each other one,
// since a new key may not have come to all yet.
func (p *Pool) again(o *order, reply *workerv1.Reply, err error) bool {
	if !defence.On(defence.RetryElsewhere) {
		return false
	}
	failure := reply.GetFailure()
	if isMissing(reply) {
		return o.harmless(reply) && p.another(o)
	}
	if !o.repeat || o.repeated {
		return false
	}
	switch class := failure.GetClass(); {
	case errors.Is(err, errLost), errors.Is(err, errMoved), failure.GetRestart():
		o.repeated = true
	case class == workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE, class == workerv1.FailureClass_FAILURE_CLASS_BUSY:
		o.repeated = p.another(o)
	}
	return o.repeated
}

// isMissing tells whether a worker does not have the key that it was asked for.
func isMissing(reply *workerv1.Reply) bool {
	f := reply.GetFailure()
	return f.GetClass() == workerv1.FailureClass_FAILURE_CLASS_OBJECT_MISSING && !f.GetRestart()
}

// harmless tells whether another member can be asked when one did not have the key: it
// may have failed at a key that it was about to make.
func (o *order) harmless(reply *workerv1.Reply) bool {
	return o.repeat || o.message.GetDestroy() != nil || reply.GetFunction() == "C_FindObjects"
}

// another tells whether a member serves that the order does not avoid.
func (p *Pool) another(o *order) bool {
	return o.only == nil && slices.ContainsFunc(p.members, func(m *member) bool { return !o.avoids(m) && m.serving() })
}

// answer is the end of an order that was asked of a member's worker.
func (m *member) answer(worker *process, o *order, reply *workerv1.Reply, err error) (*workerv1.Reply, Trace, error) {
	who := *worker.calls.who.Load()
	if o.management && reply != nil {
		m.setKeys(reply.GetKeys())
	}
	trace := Trace{HSM: who.hsmID, Function: reply.GetFunction(), RV: reply.GetRv()}
	if err == nil && reply.GetFailure() == nil {
		return reply, trace, nil
	}
	e := failure(who, o.object, reply, err)
	if e.Class == ObjectMissing {
		m.pool.doubt(o, e)
	}
	return reply, trace, e
}

// doubt makes a key that no member has which was asked for it one of which nothing is
// known, if there are others: what is destroyed has to be gone from all, and what is used
// may be there.
func (p *Pool) doubt(o *order, e *Error) {
	var others []string
	for _, m := range p.members {
		if !slices.Contains(o.missed, m) {
			others = append(others, m.identity().hsmID)
		}
	}
	if len(others) > 0 && defence.On(defence.RetryElsewhere) {
		e.Class = Unavailable
		e.Err = fmt.Errorf("%w, and %s could not be asked", e.Err, strings.Join(others, ", "))
		e.Hint = "see to the HSMs that do not serve"
	}
}

// refusal is the error of an order that no worker was asked.
func (p *Pool) refusal(o *order, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		again := *e
		again.Object, again.Unasked = o.object, len(o.tried) == 0
		var none *noneError
		if errors.As(err, &none) {
			again.HSM, again.Token, again.Err = "", "", none
		}
		return &again
	}
	refused := failure(p.identity(), o.object, nil, err)
	refused.Unasked = len(o.tried) == 0
	return refused
}

// identity names the HSM that errors are about which belong to no member: the only one.
func (p *Pool) identity() identity {
	if len(p.members) > 1 {
		return identity{}
	}
	return p.members[0].identity()
}

// verdictOn tells what the end of a call says of its HSM.
func verdictOn(o outcome) verdict {
	if o.err != nil || o.reply.GetFailure().GetRestart() {
		return undecided // the loss of a worker is one fault, which the supervisor judges
	}
	switch o.reply.GetFailure().GetClass() {
	case workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE:
		return bad
	case workerv1.FailureClass_FAILURE_CLASS_BUSY:
		return busy
	}
	return good
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
