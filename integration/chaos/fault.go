package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// fault is something that happens to an HSM, or to the server, and ends again.
type fault struct {
	// kind is what it is counted by, and name says more.
	kind, name string
	// at is the count of steps in its phase at which it begins, and for how many it
	// lasts.
	at, lasts int
	// hsm is the index of the HSM.
	hsm int
	// calls are what its library is told.
	calls []faultp11.Fault
	// signal is sent to its worker, and after the fault SIGCONT.
	signal syscall.Signal
	// server says that the server is ended and started again: killed, or asked to stop.
	server, kill bool
}

// String says what happens to whom, and when.
func (f *fault) String() string {
	whom := fmt.Sprintf("HSM %d", f.hsm)
	if f.server {
		whom = "the server"
	}
	return fmt.Sprintf("from step %d for %d: %s: %s", f.at, f.lasts, whom, f.name)
}

// schedule draws the faults of one phase: when, whom, what and for how long. Nothing
// in it depends on what happens.
func schedule(rng *rand.Rand, o options) []*fault {
	var all []*fault
	for range 1 + rng.IntN(o.FaultsAtMost) {
		f := drawFault(rng)
		f.at = rng.IntN(o.FaultSteps)
		if f.lasts = 1 + rng.IntN(o.FaultSteps-f.at); rng.IntN(3) == 0 {
			f.lasts = o.FaultSteps - f.at
		}
		f.hsm = rng.IntN(o.Members + 1)
		if !f.excluded(o, all) {
			all = append(all, f)
		}
	}
	return all
}

// excluded tells whether a fault cannot be, beside others.
func (f *fault) excluded(o options, others []*fault) bool {
	switch f.kind {
	case loginHangs:
		return slices.ContainsFunc(others, func(g *fault) bool { return g.kind == loginHangs && g.hsm == f.hsm })
	case syncLag:
		return o.Members == 1 || f.hsm == o.Members
	}
	return false
}

// begin has a fault happen, and end, which may be nil, ends it.
func (w *world) begin(ctx context.Context, f *fault) (end func() error, err error) {
	switch h := w.hsms[f.hsm]; {
	case f.server:
		return nil, w.restart(ctx, f.kill)
	case f.signal != 0:
		return w.send(ctx, h, f.signal)
	default:
		return h.disturb(fmt.Sprintf("%s at %d", f.kind, f.at), f.calls)
	}
}

// disturb tells the library of a fault, which has a name of its own.
func (h *hsm) disturb(name string, calls []faultp11.Fault) (end func() error, err error) {
	for _, c := range calls {
		err = errors.Join(err, h.faults.Add(c.Named(name)))
	}
	return func() error { return h.faults.Remove(name) }, err
}

// send sends a signal to an HSM's worker, if there is one.
func (w *world) send(ctx context.Context, h *hsm, s syscall.Signal) (end func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	hsms, err := w.describe(ctx)
	pid := int(hsms[h.id].GetWorkerPid())
	if err != nil || !slices.Contains(processes(w.Binary), pid) {
		w.report.skipped++
		return nil, nil // there is no server, or no worker
	}
	if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return nil, fmt.Errorf("sending %v to worker %d: %w", s, pid, err)
	}
	if s != syscall.SIGSTOP {
		return nil, nil
	}
	return func() error {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("continuing worker %d: %w", pid, err)
		}
		return nil
	}, nil
}
