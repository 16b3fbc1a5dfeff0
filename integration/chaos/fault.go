package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// fault is something that happens to an HSM, or to the server, and ends again.
type fault struct {
	// name says what it is, for people; counted by kind.
	kind, name string
	// at is the count of steps in its phase at which it begins, and for how many it
	// lasts.
	at, lasts int
	// hsm is the index of the HSM.
	hsm int
	// calls are what its library is told.
	calls faultp11.Fault
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

// used are functions that use keys, and made those that make or destroy them.
func used() []string { return []string{"C_EncryptInit", "C_Encrypt", "C_Decrypt", "C_Sign"} }

func made() []string {
	return []string{"C_GenerateKey", "C_GenerateKeyPair", "C_DestroyObject", "C_WrapKey"}
}

// broken are codes that HSMs answer when something of theirs is broken, and lost those
// that are about sessions and logins.
func broken() []ckr.RV {
	return []ckr.RV{ckr.DeviceError, ckr.GeneralError, ckr.FunctionFailed, ckr.DeviceMemory, ckr.DeviceRemoved, ckr.HostMemory}
}

func lost() []ckr.RV {
	return []ckr.RV{ckr.SessionHandleInvalid, ckr.SessionClosed, ckr.UserNotLoggedIn, ckr.OperationActive, ckr.KeyHandleInvalid, ckr.ObjectHandleInvalid}
}

func one[T any](rng *rand.Rand, of []T) T { return of[rng.IntN(len(of))] }

// loginHangs is a kind of its own: an HSM may lock when too many logins are tried.
const loginHangs = "login hangs"

// maker draws a fault of one kind.
type maker struct {
	kind   string
	weight int
	draw   func(rng *rand.Rand, f *fault)
}

// makers are all kinds of faults.
func makers() []maker {
	return []maker{
		{"worker killed", 3, func(_ *rand.Rand, f *fault) { f.signal = syscall.SIGKILL }},
		{"worker stopped", 2, func(_ *rand.Rand, f *fault) { f.signal = syscall.SIGSTOP }},
		{"server killed", 2, func(_ *rand.Rand, f *fault) { f.server, f.kill = true, true }},
		{"server stopped", 1, func(_ *rand.Rand, f *fault) { f.server = true }},
		{"hang", 3, func(rng *rand.Rand, f *fault) {
			f.calls = faultp11.Hang(one(rng, append(used(), made()...))).Times(1 + rng.IntN(3))
		}},
		{loginHangs, 1, func(rng *rand.Rand, f *fault) { f.calls = faultp11.Hang("C_Login").Times(1 + rng.IntN(2)) }},
		{"delay", 3, func(rng *rand.Rand, f *fault) {
			f.calls = faultp11.Delay(one(rng, used()), time.Duration(1+rng.IntN(40))*time.Millisecond).Share(rng.Float64(), rng.Uint64())
		}},
		{"use fails", 4, func(rng *rand.Rand, f *fault) {
			f.calls = faultp11.Fail(one(rng, used()), one(rng, append(broken(), lost()...))).Share(rng.Float64()/2, rng.Uint64())
		}},
		{"use fails always", 2, func(rng *rand.Rand, f *fault) {
			f.calls = faultp11.Fail(one(rng, used()), one(rng, append(broken(), lost()...)))
		}},
		{"making fails", 3, func(rng *rand.Rand, f *fault) {
			f.calls = faultp11.Fail(one(rng, made()), one(rng, broken())).Share(rng.Float64(), rng.Uint64())
		}},
		{"making fails, but was done", 3, func(rng *rand.Rand, f *fault) {
			f.calls = faultp11.Fail(one(rng, made()[:3]), one(rng, broken())).Kept().Times(1 + rng.IntN(3))
		}},
		{"sessions invalid", 3, func(_ *rand.Rand, f *fault) { f.calls = faultp11.SessionsInvalid() }},
		{"logged out", 2, func(_ *rand.Rand, f *fault) { f.calls = faultp11.LoggedOut() }},
		{"idle sessions lost", 1, func(rng *rand.Rand, f *fault) {
			f.calls = faultp11.Idle(time.Duration(5+rng.IntN(500)) * time.Millisecond)
		}},
		{"absent", 3, func(_ *rand.Rand, f *fault) { f.calls = faultp11.Absent() }},
		{"few sessions", 2, func(rng *rand.Rand, f *fault) { f.calls = faultp11.MaxSessions(rng.IntN(4), ckr.SessionCount) }},
		{"busy", 2, func(rng *rand.Rand, f *fault) { f.calls = faultp11.CloudHSMBusy(rng.Float64()/2, rng.Uint64()) }},
		{"own IV", 1, func(_ *rand.Rand, f *fault) { f.calls = faultp11.OwnIV() }},
		{"sync lag", 2, func(rng *rand.Rand, f *fault) {
			f.calls = faultp11.SyncLag(time.Duration(rng.IntN(1000)) * time.Millisecond)
		}},
		{"killed in a call", 3, func(rng *rand.Rand, f *fault) {
			f.calls = faultp11.Kill(one(rng, append(used(), made()...)), one(rng, []syscall.Signal{syscall.SIGSEGV, syscall.SIGKILL})).
				After(rng.IntN(20)).Times(1)
		}},
		{"killed after a call", 2, func(rng *rand.Rand, f *fault) {
			f.calls = faultp11.Kill(one(rng, made()), syscall.SIGKILL).Kept().Times(1)
		}},
	}
}

// schedule draws the faults of one phase: when, whom, what and for how long. Nothing
// in it depends on what happens.
func schedule(rng *rand.Rand, o options) []*fault {
	var all []*fault
	for range 1 + rng.IntN(o.FaultsAtMost) {
		f := drawFault(rng)
		f.at = rng.IntN(o.FaultSteps)
		f.lasts = 1 + rng.IntN(o.FaultSteps-f.at)
		f.hsm = rng.IntN(o.Members + 1)
		again := slices.ContainsFunc(all, func(g *fault) bool { return g.kind == loginHangs && g.hsm == f.hsm })
		if f.kind == loginHangs && again {
			continue
		}
		all = append(all, f)
	}
	return all
}

func drawFault(rng *rand.Rand) *fault {
	total := 0
	for _, m := range makers() {
		total += m.weight
	}
	drawn := rng.IntN(total)
	for _, m := range makers() {
		if drawn -= m.weight; drawn >= 0 {
			continue
		}
		f := &fault{kind: m.kind, name: m.kind}
		m.draw(rng, f)
		if text := f.calls.String(); text != "" {
			f.name += " (" + text + ")"
		}
		return f
	}
	return nil
}

// begin has a fault happen, and end ends it. Of a worker that is starting there is
// nothing to send a signal to: then the fault does not happen, and begin says so.
func (w *world) begin(ctx context.Context, f *fault) (begun func() error, err error) {
	switch h := w.hsms[f.hsm]; {
	case f.server:
		return nil, w.restart(ctx, f.kill)
	case f.signal != 0:
		return w.send(ctx, h, f.signal)
	default:
		named := f.calls.Named(fmt.Sprintf("%s at %d", f.kind, f.at))
		return func() error { return h.faults.Remove(named.Name()) }, h.faults.Add(named)
	}
}

// send sends a signal to an HSM's worker.
func (w *world) send(ctx context.Context, h *hsm, s syscall.Signal) (func() error, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	hsms, err := w.describe(ctx)
	pid := int(hsms[h.id].GetWorkerPid())
	if err != nil || pid == 0 {
		w.report.skipped++
		return nil, nil // the server is not there, and no worker either
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
