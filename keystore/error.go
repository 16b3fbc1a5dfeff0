package keystore

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// Kind is what went wrong, named as AWS names it. The set is closed; each
// protocol has one table from it to its own statuses.
type Kind = annotationsv1.ErrorKind

// Error is the only error that operations answer with. Message is for the
// caller: it names the key or the field. Err is for the operator: it goes to
// the log and never to the caller.
type Error struct {
	Kind    Kind
	Message string
	Err     error
}

// Error gives the kind, the message and, for the log, the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%v: %s: %v", e.Kind, e.Message, e.Err)
	}
	return fmt.Sprintf("%v: %s", e.Kind, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError returns the *Error in err's chain. What is not one becomes
// InternalFailure with a message that tells the caller nothing of the cause.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{
		Kind:    annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE,
		Message: "The request could not be completed because of an internal fault.",
		Err:     err,
	}
}

func errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) because(err error) *Error {
	e.Err = err
	return e
}

// LogPanic logs a panic's value with the stack, which is that of the panic when
// it is called deferred, and returns the error that the panic becomes.
func LogPanic(log hclog.Logger, v any, operation, requestID string) error {
	err := panicError(v)
	log.Error("an operation panicked", "operation", operation, "request_id", requestID,
		"error", err, "stack", string(debug.Stack()))
	return err
}

// panicError describes a panic's value. Only the runtime's own texts are safe
// to show: any other value may hold a secret, and its type and the stack do.
func panicError(v any) error {
	if e, ok := v.(runtime.Error); ok {
		return fmt.Errorf("panic: %w", e)
	}
	return fmt.Errorf("panic: a value of type %T", v)
}
