package reliability

import (
	"fmt"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// calls are the calls of all HSMs' libraries.
func (w *world) calls() ([]faultp11.Call, error) {
	var all []faultp11.Call
	for _, h := range w.hsms {
		calls, err := h.faults.Calls()
		if err != nil {
			return nil, err
		}
		all = append(all, calls...)
	}
	return all, nil
}

// answered counts the calls of a function, or of all (empty), that were answered with a
// code.
func (w *world) answered(function string, rv ckr.RV) (int, error) {
	calls, err := w.calls()
	n := 0
	for _, c := range calls {
		if c.RV == rv && (function == "" || c.Function == function) {
			n++
		}
	}
	return n, err
}

// unmet wants no call to have been answered with this code.
func (w *world) unmet(rv ckr.RV) error {
	if n, err := w.answered("", rv); err != nil || n == 0 {
		return err
	}
	return broken(errMet, "a call was answered with %v", rv)
}

// happened wants a call of a function to have been answered with this code, for otherwise
// the fault did not happen.
func (w *world) happened(function string, rv ckr.RV) error {
	if n, err := w.answered(function, rv); err != nil || n > 0 {
		return err
	}
	return fmt.Errorf("the fault did not happen: no %s was answered with %v", function, rv)
}

// once wants each worker to have called a function once.
func (w *world) once(function string) error {
	calls, err := w.calls()
	if err != nil {
		return err
	}
	of := map[int]int{}
	for _, c := range calls {
		if c.Function == function {
			of[c.PID]++
		}
	}
	for pid, n := range of {
		if n != 1 {
			return broken(errUnbounded, "the worker %d has called %s %d times", pid, function, n)
		}
	}
	return nil
}

// never wants no worker to have called a function.
func (w *world) never(function string) error {
	calls, err := w.calls()
	if err != nil {
		return err
	}
	for _, c := range calls {
		if c.Function == function {
			return broken(errAccepted, "the worker %d has called %s", c.PID, function)
		}
	}
	return nil
}
