package faultp11

import (
	"fmt"
	"syscall"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// Instead of the name of one C_ function.
const (
	// All are all functions.
	All = "*"
	// Operations are the functions that need the HSM's work: those of a session, but
	// for opening and closing it, asking about it, logging in and out.
	Operations = "operations"
)

// Fault is a directive of the control file. It is a value: its methods return
// changed copies.
type Fault struct {
	name, verb string
	// options are what follows the verb.
	options string
}

// call is a Fault that disturbs calls of a function.
func call(function string) Fault { return Fault{name: function, verb: "call", options: " " + function} }

func (f Fault) with(format string, args ...any) Fault {
	f.options += " " + fmt.Sprintf(format, args...)
	return f
}

// Fail has a function answer a code instead of doing anything.
func Fail(function string, rv ckr.RV) Fault { return call(function).with("rv=%#x", uint32(rv)) }

// Delay has a function wait before it does what it does.
func Delay(function string, d time.Duration) Fault {
	return call(function).with("ms=%d", d.Milliseconds())
}

// Hang has a function wait until the fault is gone, and then do what it does.
func Hang(function string) Fault { return call(function).with("hang") }

// Kill ends the process in a call of a function, by SIGSEGV as a faulty library would,
// by any other signal as if somebody had sent it.
func Kill(function string, signal syscall.Signal) Fault {
	return call(function).with("kill=%d", int(signal))
}

// Watch disturbs nothing: Seen tells how often the function was called.
func Watch(function string) Fault { return call(function) }

// Kept has the fault come after the call was carried out, so that it has its effect:
// a key is made, and the caller is told that it was not.
func (f Fault) Kept() Fault { return f.with("late") }

// OnlyFailures restricts the fault to calls that fail by themselves; a code then takes
// the place of theirs.
func (f Fault) OnlyFailures() Fault { return f.with("failures") }

// Mechanism restricts the fault to calls that are given this mechanism (CKM_...), or that go
// on with an operation by it.
func (f Fault) Mechanism(m uint) Fault { return f.with("mechanism=%#x", m) }

// After lets n calls pass first.
func (f Fault) After(n int) Fault { return f.with("after=%d", n) }

// Times has the fault strike n calls, in all processes together, and then no more.
func (f Fault) Times(n int) Fault { return f.with("times=%d", n) }

// Share has the fault strike a share of the calls, from 0 to 1. The seed and the count
// of calls say which.
func (f Fault) Share(share float64, seed uint64) Fault {
	return f.with("share=%g", share).with("seed=%d", seed)
}

// Named gives the fault another name for Hits and Seen than the function's or verb's.
func (f Fault) Named(name string) Fault {
	f.name = name
	return f
}

// Name returns what Hits and Seen know the fault by.
func (f Fault) Name() string { return f.name }

// String returns the directive without its number.
func (f Fault) String() string { return f.verb + f.options }

func state(verb string) Fault { return Fault{name: verb, verb: verb} }

// SessionsInvalid makes every session that is open when a process next calls invalid
// for ever: CKR_SESSION_HANDLE_INVALID. Later ones are good. It happens once, and again
// each time it is made and set anew.
func SessionsInvalid() Fault { return state("sessions-invalid") }

// Idle makes a session invalid that was not used for so long.
func Idle(d time.Duration) Fault { return state("idle").with("ms=%d", d.Milliseconds()) }

// LoggedOut has the token forget the login, once, as SessionsInvalid: what needs a
// private object answers CKR_USER_NOT_LOGGED_IN, and searches find nothing, until the
// next C_Login. Handles from before the login are good for nothing then.
func LoggedOut() Fault { return state("logged-out") }

// Absent takes the token out of its slot: C_GetSlotList omits it, C_GetTokenInfo and
// C_OpenSession answer CKR_TOKEN_NOT_PRESENT, and what is done in a session
// CKR_DEVICE_REMOVED. When the fault is gone the token is back, without the sessions
// and the login of those processes that have noticed.
func Absent() Fault { return state("absent") }

// CachedSlots has a process that has noticed the token's absence see it again only after
// C_Finalize and C_Initialize.
func CachedSlots() Fault { return state("cached-slots") }

// Arrangement is how C_GetSlotList disguises the slots.
type Arrangement struct {
	// Reverse turns their order around.
	Reverse bool
	// Extra is how many slots precede them whose token is not recognised.
	Extra int
	// Shift is added to their numbers.
	Shift int
}

// Slots has slots in another order and with other numbers, at once.
func Slots(a Arrangement) Fault {
	f := state("slots").with("extra=%d", a.Extra).with("shift=%d", a.Shift)
	if a.Reverse {
		return f.with("reverse")
	}
	return f
}

// PINLimit has a token count wrong user PINs, in all processes of the Library together,
// tell of them by its flags, and answer CKR_PIN_LOCKED after n. A right PIN before that
// resets the count; see Options.PINs.
func PINLimit(n int) Fault { return state("pin-limit").with("limit=%d", n) }

// PINFlags adds flags (CKF_USER_PIN_...) to those of C_GetTokenInfo.
func PINFlags(flags uint) Fault { return state("pin-flags").with("flags=%#x", flags) }

// MaxSessions has C_OpenSession answer a code, commonly CKR_SESSION_COUNT, while a
// process has n sessions.
func MaxSessions(n int, rv ckr.RV) Fault {
	return state("max-sessions").with("limit=%d", n).with("rv=%#x", uint32(rv))
}

// OwnIV has the token ignore the IV that AES-GCM is given, and write its own in its
// place at C_EncryptInit.
func OwnIV() Fault { return state("iv").with("mode=own") }

// LateIV is OwnIV, but the IV is written only at C_Encrypt.
func LateIV() Fault { return state("iv").with("mode=late") }

// LostIV is OwnIV, but the IV is never told: nobody can decrypt what comes out.
func LostIV() Fault { return state("iv").with("mode=lose") }

// ReuseHandles has object handles be small numbers, which go to the next object after a
// destruction, and name other objects in each process: a handle kept too long names
// another key. That an object was destroyed by another process is known from the next
// search on. Processes do so from their next C_Initialize on.
func ReuseHandles() Fault { return state("reuse-handles") }

// SyncLag hides objects that other processes make for so long after a search has met them
// first, as if they had yet to reach this HSM. What is there at the first search is not
// hidden.
func SyncLag(d time.Duration) Fault { return state("sync-lag").with("ms=%d", d.Milliseconds()) }

// Alias has a search that finds one object name the object that the process found first.
func Alias() Fault { return state("alias") }

// Length has C_Encrypt and C_Decrypt claim to have written far more than they have.
func Length() Fault { return state("length") }

// Overlap counts the calls of C_Finalize during another call.
func Overlap() Fault { return state("overlap") }

// CloudHSM has the library accept and refuse what that of AWS CloudHSM, Client SDK 5,
// does, as far as it is documented.
func CloudHSM() Fault { return state("cloudhsm") }

// CloudHSMBusy is a share of CKR_FUNCTION_FAILED, as an HSM of a cluster answers that
// has too much to do. Its name is cloudhsm-busy.
func CloudHSMBusy(share float64, seed uint64) Fault {
	return Fail(Operations, ckr.FunctionFailed).Share(share, seed).Named("cloudhsm-busy")
}
