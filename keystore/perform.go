package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/keystore/policy"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// recordTimeout bounds the wait for an event's durability. The event is
// written even when the request's own deadline has passed.
const recordTimeout = 30 * time.Second

// plan is one request's way through perform: what differs between operations.
type plan[Res proto.Message] struct {
	// targets find what the request acts on; nil: no single resource.
	targets finder
	// judge turns the policies' decision on the targets into the answer; nil: as it
	// is.
	judge func(*request, policy.Decision) error
	// check says whether the operation may be done with the targets, which
	// exist, in their present state; nil: in any state.
	check func([]target) error
	// change announces what run is about to change; nil: nothing. perform fills
	// in whose change it is, and makes the intent durable before run.
	change func([]target) audit.Intent
	// run does the work.
	run func(context.Context, *proof) (Res, error)
}

// request is what perform knows of the request under way.
type request struct {
	k       *Keystore
	method  *describe.Method
	caller  Caller
	input   proto.Message
	targets []target
	judge   func(*request, policy.Decision) error // as in plan
	proof   *proof
	intent  *audit.Intent // nil: nothing is changed
	held    *change       // keeps other changes of the targets away
	// valid says that the caller is known and the request within its limits,
	// so that it may be shown in the event.
	valid bool
	// began is when it came to the Keystore; journaled is how long it has waited for its
	// records to be durable.
	began     time.Time
	journaled time.Duration
	// recorded says that its event is durable, with errorCode as the error's name.
	recorded  bool
	errorCode string
	spans     *spans // nil: it is not traced
}

// newRequest is a request that has just come.
func newRequest(k *Keystore, m *describe.Method, caller Caller) *request {
	return &request{k: k, method: m, caller: caller, proof: newProof(k, caller.RequestID), began: time.Now()}
}

// perform is the only way an operation is done. See the package comment for
// the order of its steps.
func perform[Res proto.Message](ctx context.Context, k *Keystore, fullMethod string, input proto.Message, p plan[Res]) (Res, error) {
	var none Res
	caller, ok := CallerFrom(ctx)
	if !ok {
		return none, errorf(annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT, "The request has no caller.")
	}
	r := newRequest(k, k.api.Method(fullMethod), caller)
	r.input, r.judge = input, p.judge
	res, err := conclude(r.startSpans(ctx), r, p)
	r.answered(err)
	return res, err
}

// conclude does a request and records it.
func conclude[Res proto.Message](ctx context.Context, r *request, p plan[Res]) (Res, error) {
	var none Res
	k := r.k
	res, err := admitAndRun(ctx, r, p)
	if err != nil {
		err = r.answerable(err)
	}
	k.leaveOpen(ctx, r.proof, r.intent)
	if failed := r.record(ctx, res, err); failed != nil {
		k.settler.add(r.intent, r.held)
		if err == nil {
			k.api.Wipe(res) // nobody gets it
		}
		return none, r.unrecorded(failed)
	}
	r.held.end()
	if err != nil {
		return none, err
	}
	return res, nil
}

func admitAndRun[Res proto.Message](ctx context.Context, r *request, p plan[Res]) (res Res, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = LogPanic(r.k.log, v, r.method.Name, r.caller.RequestID)
		}
	}()
	if err := r.admit(p.targets); err != nil {
		return res, err
	}
	if p.change != nil {
		if err := r.hold(ctx, p.targets); err != nil {
			return res, err
		}
	}
	if p.check != nil {
		if err := p.check(r.targets); err != nil {
			return res, err
		}
	}
	if dry, ok := r.input.(interface{ GetDryRun() bool }); ok && dry.GetDryRun() {
		return res, errorf(annotationsv1.ErrorKind_ERROR_KIND_DRY_RUN_OPERATION, "The request would have succeeded, but the DryRun option is set.")
	}
	if p.change != nil {
		if err := r.announce(ctx, p.change(r.targets)); err != nil {
			return res, err
		}
	}
	r.proof.grant(r.targets)
	return p.run(ctx, r.proof)
}

// announce makes the intent of a change durable.
func (r *request) announce(ctx context.Context, i audit.Intent) error {
	i.Time, i.EventName = time.Now(), r.method.Name
	i.RequestID, i.RequestedBy, i.SourceIPAddress = r.caller.RequestID, r.caller.Principal, r.caller.SourceIP
	r.held.makes(i.BackingKeyID)
	r.intent = &i
	defer r.timed("intent", time.Now())
	return r.k.writeIntent(ctx, &i)
}

// answerable turns any error into the *Error that the caller hears: one of the
// kinds that the operation may answer.
func (r *request) answerable(err error) *Error {
	e := AsError(err)
	heard := r.heard(e.Kind)
	if heard == e.Kind {
		return e
	}
	return &Error{Kind: heard, Message: e.Message, Err: errors.Join(fmt.Errorf("%s is not declared by %s", describe.ErrorOf(e.Kind).Name, r.method.Name), e.Err)}
}

// heard is the kind of error that stands for one that the operation may not answer; or
// that one. Clients of AWS's other services know nothing of KMS's failures.
func (r *request) heard(kind Kind) Kind {
	elsewhere := r.method.SigningName != "" && r.method.SigningName != "kms"
	switch {
	case elsewhere && kind == annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL:
		return annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE
	case r.method.Declares(kind):
		return kind
	case kind == annotationsv1.ErrorKind_ERROR_KIND_INVALID_ARN:
		return annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND
	case kind == annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION:
		return annotationsv1.ErrorKind_ERROR_KIND_VALIDATION
	case elsewhere:
		return annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE
	}
	return annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL
}

// writeIntent makes the intent of a change durable.
func (k *Keystore) writeIntent(ctx context.Context, i *audit.Intent) error {
	err := k.trail.RecordIntent(ctx, i)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return outOfTime(ctx, "The audit journal").because(err)
	default:
		return journalFailed(err)
	}
}

// leaveOpen announces a change once more, under a request id that nobody has,
// when it is not known what has become of its key material: the request's event
// settles the request's own intent, and this one is left to the settler, or to
// the next start.
func (k *Keystore) leaveOpen(ctx context.Context, p *proof, i *audit.Intent) {
	if !p.unsettled {
		return
	}
	again := *i
	again.RequestID = uuid.NewString()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	about := []any{"operation", i.EventName, "key", i.KeyARN, "backing_key_id", i.BackingKeyID, "request_id", i.RequestID}
	if err := k.writeIntent(ctx, &again); err != nil {
		k.log.Error("key material may have been left in the token, and that could not be written down; see strongroom hsm orphans", append(about, "error", err)...)
		return
	}
	k.settler.addLate(&again)
	k.log.Warn("it is not known whether new key material was made; if so, it is destroyed in some minutes, or at the next start", about...)
}

// record makes the request's event durable. Without it there is no answer,
// whatever the operation did.
func (r *request) record(ctx context.Context, res proto.Message, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	e := r.event(res, err)
	began := time.Now()
	failed := r.k.trail.RecordEvent(ctx, e)
	r.timed("event", began)
	if failed != nil {
		// A line for each would be a flood: health says once why. Of a change
		// that may have taken effect the operator must know.
		level := hclog.Debug
		if r.proof.granted && !r.method.ReadOnly {
			level = hclog.Error
		}
		r.k.log.Log(level, "an API event could not be made durable, so its request was not answered",
			"operation", r.method.Name, "request_id", r.caller.RequestID, "error", failed)
		return journalFailed(failed)
	}
	r.recorded, r.errorCode = true, e.ErrorCode
	if err == nil {
		r.used(e)
	}
	return nil
}

// unrecorded is the answer of a request whose event is not durable. One that
// has changed something must not look as if trying again were harmless.
func (r *request) unrecorded(failed error) error {
	if r.proof.granted && !r.method.ReadOnly {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL,
			"The outcome of the request could not be recorded; it may have taken effect.").because(failed)
	}
	return failed
}

func journalFailed(err error) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE,
		"The audit journal cannot be written, and without its record no request is answered.").because(err)
}
