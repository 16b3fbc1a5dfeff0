package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

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

// syncLag is one too: an HSM that is alone lags behind nobody.
const syncLag = "sync lag"

// maker draws a fault of one kind.
type maker struct {
	kind   string
	weight int
	draw   func(rng *rand.Rand, f *fault)
}

// makers are all kinds of faults.
func makers() []maker { return slices.Concat(ofProcesses(), ofUse(), ofMaking(), ofTokens()) }

// told is what draws a fault that is only the library's.
func told(draw func(rng *rand.Rand) faultp11.Fault) func(*rand.Rand, *fault) {
	return func(rng *rand.Rand, f *fault) { f.calls = []faultp11.Fault{draw(rng)} }
}

// always is told of a fault that has nothing to be drawn.
func always(calls ...faultp11.Fault) func(*rand.Rand, *fault) {
	return func(_ *rand.Rand, f *fault) { f.calls = calls }
}

func ofProcesses() []maker {
	return []maker{
		{"worker killed", 3, func(_ *rand.Rand, f *fault) { f.signal = syscall.SIGKILL }},
		{"worker stopped", 2, func(_ *rand.Rand, f *fault) { f.signal = syscall.SIGSTOP }},
		{"server killed", 2, func(_ *rand.Rand, f *fault) { f.server, f.kill = true, true }},
		{"server stopped", 1, func(_ *rand.Rand, f *fault) { f.server = true }},
		{"killed in a call", 3, told(func(rng *rand.Rand) faultp11.Fault {
			signal := one(rng, []syscall.Signal{syscall.SIGSEGV, syscall.SIGKILL})
			return faultp11.Kill(one(rng, append(used(), made()...)), signal).After(rng.IntN(20)).Times(1)
		})},
		{"killed after a call", 2, told(func(rng *rand.Rand) faultp11.Fault {
			return faultp11.Kill(one(rng, made()), syscall.SIGKILL).Kept().Times(1)
		})},
	}
}

func ofUse() []maker {
	return []maker{
		{"hang", 3, told(func(rng *rand.Rand) faultp11.Fault { return faultp11.Hang(one(rng, used())).Times(1 + rng.IntN(3)) })},
		{"delay", 3, told(func(rng *rand.Rand) faultp11.Fault {
			return faultp11.Delay(one(rng, used()), time.Duration(1+rng.IntN(40))*time.Millisecond).Share(rng.Float64(), rng.Uint64())
		})},
		{"use fails", 4, told(func(rng *rand.Rand) faultp11.Fault {
			return faultp11.Fail(one(rng, used()), one(rng, append(broken(), lost()...))).Share(rng.Float64()/2, rng.Uint64())
		})},
		{"use fails always", 2, told(func(rng *rand.Rand) faultp11.Fault {
			return faultp11.Fail(one(rng, used()), one(rng, append(broken(), lost()...)))
		})},
		{"busy", 2, told(func(rng *rand.Rand) faultp11.Fault { return faultp11.CloudHSMBusy(rng.Float64()/2, rng.Uint64()) })},
		{"own IV", 1, always(faultp11.OwnIV())},
	}
}

func ofMaking() []maker {
	return []maker{
		{"making hangs", 1, told(func(rng *rand.Rand) faultp11.Fault { return faultp11.Hang(one(rng, made())).Times(1) })},
		{"making fails", 3, told(func(rng *rand.Rand) faultp11.Fault {
			return faultp11.Fail(one(rng, made()), one(rng, broken())).Share(rng.Float64(), rng.Uint64())
		})},
		{"making fails, but was done", 3, told(func(rng *rand.Rand) faultp11.Fault {
			return faultp11.Fail(one(rng, made()[:3]), one(rng, broken())).Kept().Times(1 + rng.IntN(3))
		})},
		{syncLag, 2, told(func(rng *rand.Rand) faultp11.Fault {
			return faultp11.SyncLag(time.Duration(rng.IntN(1000)) * time.Millisecond)
		})},
	}
}

func ofTokens() []maker {
	return []maker{
		{"sessions invalid", 3, always(faultp11.SessionsInvalid())},
		{"logged out", 2, always(faultp11.LoggedOut())},
		{"idle sessions lost", 1, told(func(rng *rand.Rand) faultp11.Fault {
			return faultp11.Idle(time.Duration(5+rng.IntN(500)) * time.Millisecond)
		})},
		{"few sessions", 2, told(func(rng *rand.Rand) faultp11.Fault { return faultp11.MaxSessions(rng.IntN(4), ckr.SessionCount) })},
		{"absent", 3, always(faultp11.Absent())},
		{"absent, and seen only by a new library", 1, always(faultp11.Absent(), faultp11.CachedSlots())},
		{"slots renumbered", 1, told(func(rng *rand.Rand) faultp11.Fault {
			return faultp11.Slots(faultp11.Arrangement{Reverse: rng.IntN(2) == 0, Extra: rng.IntN(3), Shift: rng.IntN(100)})
		})},
		{loginHangs, 1, always(faultp11.Hang("C_Login").Times(1))},
		{"login fails", 2, told(func(rng *rand.Rand) faultp11.Fault {
			return faultp11.Fail("C_Login", one(rng, []ckr.RV{ckr.DeviceError, ckr.DeviceRemoved, ckr.DeviceMemory})).Times(1 + rng.IntN(3))
		})},
	}
}

// habits are what an HSM does all the time, and what a server has to stand all the
// time: in half of the worlds object handles are used again, in others the token
// chooses IVs. PINs are counted in each.
func habits(rng *rand.Rand) []faultp11.Fault {
	all := []faultp11.Fault{faultp11.PINLimit(3)}
	if rng.IntN(2) == 0 {
		all = append(all, faultp11.ReuseHandles())
	}
	switch rng.IntN(4) {
	case 0:
		all = append(all, faultp11.OwnIV())
	case 1:
		all = append(all, faultp11.LateIV())
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
		for _, c := range f.calls {
			f.name += fmt.Sprintf(" (%v)", c)
		}
		return f
	}
	return nil
}
