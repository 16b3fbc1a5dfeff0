package hsmpool

import (
	"errors"
	"fmt"
	"strings"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// Class is what a failure means to the one who asked.
type Class int

// The classes of failure.
const (
	_ Class = iota
	// Caller: the ciphertext was altered, or belongs to another key or AAD; wrapped key
	// material cannot be unwrapped, or is not of the type asked for.
	Caller
	// ObjectMissing: the token has no key of that id.
	ObjectMissing
	// Busy: too many requests are in flight, here or in the HSM; try later.
	Busy
	// Unavailable: no HSM takes requests, or the entry of the call could not be recorded.
	Unavailable
	// Timeout: the context ended first. What was asked may still happen.
	Timeout
	// Operator: nothing helps until an operator has acted, e.g. on a wrong PIN.
	Operator
	// Unsupported: the token cannot do that.
	Unsupported
	// Mismatch: key material to be imported is not what it was said to be.
	Mismatch
	// Internal: the library did what it should not, or this package has a fault.
	Internal
)

// String returns the class's name in lower case.
func (c Class) String() string {
	switch c {
	case Caller:
		return "caller"
	case ObjectMissing:
		return "object missing"
	case Busy:
		return "busy"
	case Unavailable:
		return "unavailable"
	case Timeout:
		return "timeout"
	case Operator:
		return "operator"
	case Unsupported:
		return "unsupported"
	case Mismatch:
		return "mismatch"
	case Internal:
		return "internal"
	}
	return "invalid"
}

// ErrNoToken is found, by errors.Is, in the Error of a start whose library has no token
// like the one that was asked for.
var ErrNoToken = errors.New("no such token")

// Error is the failure of a request. Every error of a Pool's methods is one.
type Error struct {
	Class Class
	// HSM and Token name the member that failed; empty if none was asked.
	HSM, Token string
	// Function is the C_ function that failed with RV; empty if none was called. RV may
	// stand alone then: the code that a call would have met, by what the token says.
	Function string
	RV       uint32
	// Object is the key concerned; zero if none is.
	Object ObjectID
	// Unasked says that no HSM was given the request, so that it has done nothing.
	Unasked bool
	// Hint says what an operator can do about it.
	Hint string
	// Err is what went wrong.
	Err error
}

// Error names what failed, the token, the key, the return code and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	if e.HSM != "" {
		fmt.Fprintf(&b, "hsm %s: ", e.HSM)
	}
	if e.Token != "" {
		fmt.Fprintf(&b, "token %q: ", e.Token)
	}
	if e.Object != (ObjectID{}) {
		fmt.Fprintf(&b, "key %s: ", e.Object)
	}
	if e.Function != "" && e.RV != 0 {
		fmt.Fprintf(&b, "%s: %s: ", e.Function, rvName(e.RV))
	}
	if e.Err != nil {
		b.WriteString(e.Err.Error())
	} else {
		b.WriteString(e.Class.String())
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is tells whether the failure is ErrNoToken.
func (e *Error) Is(target error) bool {
	return target == ErrNoToken && e.RV == uint32(ckr.TokenNotPresent) && e.Function == ""
}
