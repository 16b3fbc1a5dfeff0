package reliability

import (
	"errors"
	"fmt"
)

// The promises, each as the error of a row in which it was broken. A row that ends with
// another error could not be played.
var (
	errLost      = errors.New("BROKEN: what was acknowledged is lost")
	errWrong     = errors.New("BROKEN: an answer is of another key, or wrong")
	errFailed    = errors.New("BROKEN: a request failed that should not")
	errMet       = errors.New("BROKEN: a request met a fault that it should not have met")
	errLate      = errors.New("BROKEN: a request was answered after its deadline")
	errTogether  = errors.New("BROKEN: keys were made at the same time")
	errAccepted  = errors.New("BROKEN: what had to be refused was done")
	errVague     = errors.New("BROKEN: a client is not told what he can do")
	errStuck     = errors.New("BROKEN: it does not recover by itself")
	errRestarted = errors.New("BROKEN: a worker was replaced, or the server ended, without need")
	errUntold    = errors.New("BROKEN: operators are not told")
	errUnbounded = errors.New("BROKEN: it takes more and more of the HSM or of the machine")
)

// broken is the error of a promise that was not kept.
func broken(promise error, format string, args ...any) error {
	return fmt.Errorf("%w: %w", promise, fmt.Errorf(format, args...))
}
