package keystore

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

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
	// target finds what the request acts on; nil: no single resource.
	target func() target
	// check says whether the operation may be done with the target, whose key
	// is present, in its present state; nil: in any state.
	check func(*key) error
	// intent is written durably before run; nil: run changes nothing.
	intent *audit.Intent
	// run does the work.
	run func(context.Context, *proof) (Res, error)
}

// target is the resource of a request. When the key cannot be found, err says
// why; the caller hears it only when it may act on the resource.
type target struct {
	key      *key
	resource string
	err      error
}

// request is what perform knows of the request under way.
type request struct {
	k      *Keystore
	method *describe.Method
	caller Caller
	input  proto.Message
	target target
	proof  *proof
}

// perform is the only way an operation is done. See the package comment for
// the order of its steps.
func perform[Res proto.Message](ctx context.Context, k *Keystore, fullMethod string, input proto.Message, p plan[Res]) (Res, error) {
	var none Res
	caller, ok := CallerFrom(ctx)
	if !ok {
		return none, errorf(annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT, "The request has no caller.")
	}
	r := &request{k: k, method: k.api.Method(fullMethod), caller: caller, input: input, target: target{resource: "*"}}
	r.proof = newProof(k, caller.RequestID)
	res, err := admitAndRun(ctx, r, p)
	if err != nil {
		err = r.answerable(err)
	}
	if failed := r.record(ctx, res, err); failed != nil {
		return none, failed
	}
	if err != nil {
		return none, err
	}
	return res, nil
}

func admitAndRun[Res proto.Message](ctx context.Context, r *request, p plan[Res]) (res Res, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = PanicError(v)
			r.k.log.Error("an operation panicked", "operation", r.method.Name, "request_id", r.caller.RequestID,
				"error", err, "stack", string(debug.Stack()))
		}
	}()
	if err := r.admit(p.target); err != nil {
		return res, err
	}
	if p.check != nil {
		if err := p.check(r.target.key); err != nil {
			return res, err
		}
	}
	if dry, ok := r.input.(interface{ GetDryRun() bool }); ok && dry.GetDryRun() {
		return res, errorf(annotationsv1.ErrorKind_ERROR_KIND_DRY_RUN_OPERATION, "The request would have succeeded, but the DryRun option is set.")
	}
	if p.intent != nil {
		if err := r.k.writeIntent(ctx, p.intent); err != nil {
			return res, err
		}
	}
	r.proof.grant(r.target.key)
	return p.run(ctx, r.proof)
}

// admit says whether the request may go on: it is from somebody, well formed,
// allowed, and for something that exists.
func (r *request) admit(find func() target) error {
	if r.caller.Principal == "" {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT, "The credentials in the request are not those of a known principal.")
	}
	if err := r.method.Request.Validate(r.input); err != nil {
		return &Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, Message: err.Error()}
	}
	if err := refuseUnsupported(r.input); err != nil {
		return err
	}
	if find != nil {
		r.target = find()
	}
	if err := r.authorize(); err != nil {
		return err
	}
	return r.target.err
}

// authorize asks the policies for every action that the operation needs.
func (r *request) authorize() error {
	for _, action := range r.method.Actions {
		d := r.k.policy.Allows(policy.Request{Principal: r.caller.Principal, Action: action, Resource: r.target.resource})
		if !d.Allowed() {
			return errorf(annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED,
				"User: %s is not authorized to perform: %s on resource: %s %s",
				r.caller.Principal, action, r.target.resource, d.Reason())
		}
	}
	return nil
}

// answerable turns any error into the *Error that the caller hears: one of the
// kinds that the operation may answer.
func (r *request) answerable(err error) *Error {
	e := AsError(err)
	if r.method.Declares(e.Kind) {
		return e
	}
	substitute := annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL
	switch e.Kind {
	case annotationsv1.ErrorKind_ERROR_KIND_INVALID_ARN:
		substitute = annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND
	case annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION:
		substitute = annotationsv1.ErrorKind_ERROR_KIND_VALIDATION
	}
	return &Error{Kind: substitute, Message: e.Message, Err: errors.Join(fmt.Errorf("%s is not declared by %s", describe.ErrorOf(e.Kind).Name, r.method.Name), e.Err)}
}

// writeIntent makes the intent of a change durable.
func (k *Keystore) writeIntent(ctx context.Context, i *audit.Intent) error {
	if err := k.trail.RecordIntent(ctx, i); err != nil {
		return journalFailed(err)
	}
	return nil
}

// record makes the request's event durable. Without it there is no answer,
// whatever the operation did.
func (r *request) record(ctx context.Context, res proto.Message, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if failed := r.k.trail.RecordEvent(ctx, r.event(res, err)); failed != nil {
		r.k.log.Error("an API event could not be made durable, so its request was not answered",
			"operation", r.method.Name, "request_id", r.caller.RequestID, "error", failed)
		return journalFailed(failed)
	}
	return nil
}

func journalFailed(err error) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE,
		"The audit journal cannot be written, and without its record no request is answered.").because(err)
}
