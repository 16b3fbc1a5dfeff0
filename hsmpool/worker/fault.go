//go:build cgo

package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// fault is why a request failed: what it means to the caller, and whether the worker
// is to be replaced.
type fault struct {
	result
	class   workerv1.FailureClass
	hint    string
	restart bool
	err     error
}

// Error says what went wrong; the function and its code stand beside it.
func (f *fault) Error() string { return f.err.Error() }

// Unwrap returns the cause.
func (f *fault) Unwrap() error { return f.err }

// faultOf judges a failed C_ function by the table of fates. doing says what it was
// called for; the function and its code are reported beside it.
func faultOf(profile string, r result, doing string) (*fault, ckr.Fate) {
	v := ckr.Decide(ckr.Call{Profile: profile, Function: r.function, Mechanism: r.mechanism}, r.rv)
	f := &fault{
		result: r, class: v.Class, hint: v.Hint,
		restart: v.Fate == ckr.Restart,
		err:     errors.New(doing),
	}
	return f, v.Fate
}

// isBusy tells whether the HSM said that it had too much to do.
func (f *fault) isBusy() bool { return f.class == workerv1.FailureClass_FAILURE_CLASS_BUSY }

// tell has operators know of a fault that callers do not notice, or take for a busy HSM.
func (t *token) tell(f *fault) {
	if skipped, ok := t.told.Take(time.Now()); ok {
		t.log.Warn("the HSM failed, and the request is tried again", "token", t.info.Label, "function", f.function,
			"code", f.rv.String(), "what", f.Error(), "hint", f.hint, "such_faults_since_the_last_line", skipped)
	}
}

// judge is faultOf for a call that miekg/pkcs11 made.
func judge(profile, function string, err error, doing string) *fault {
	f, _ := faultOf(profile, result{function: function, rv: rvOf(err)}, doing)
	return f
}

// twice does something on a session, and once more if the table of fates has had it renewed.
func twice(profile, doing string, renew, do func() error) error {
	for again := true; ; again = false {
		err := do()
		var op *opError
		if !errors.As(err, &op) {
			return err
		}
		f, fate := faultOf(profile, op.result(), doing)
		if !again {
			lastFault(f, fate)
		}
		if f.restart || fate == ckr.Keep {
			return f
		}
		if err := renew(); err != nil {
			return err
		}
		if !again {
			return f
		}
	}
}

func unavailable(err error, hint string) *fault {
	return &fault{class: workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE, hint: hint, err: err}
}

func internal(err error) *fault {
	return &fault{class: workerv1.FailureClass_FAILURE_CLASS_INTERNAL, err: err}
}

// callers is the failure of a request that asks for what cannot be.
func callers(err error) *fault {
	return &fault{class: workerv1.FailureClass_FAILURE_CLASS_CALLER, err: err}
}

// unsupported is the failure of a request for what the token cannot do.
func unsupported(format string, args ...any) *fault {
	return &fault{class: workerv1.FailureClass_FAILURE_CLASS_UNSUPPORTED, err: fmt.Errorf(format, args...)}
}

// asFault returns the fault that an error is, or wraps; any other one is internal.
func asFault(err error) *fault {
	var f *fault
	if !errors.As(err, &f) {
		f = internal(err)
	}
	return f
}

// failed returns the reply that says why a request failed.
func failed(err error) *workerv1.Reply {
	f := asFault(err)
	return &workerv1.Reply{
		Function: f.function,
		Rv:       uint32(f.rv),
		Failure: &workerv1.Failure{
			Class:   f.class,
			Message: err.Error(),
			Hint:    f.hint,
			Restart: f.restart,
		},
	}
}
