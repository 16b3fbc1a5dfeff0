package hsmpool_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// The flags by which tokens tell of their user PIN.
const (
	flagCountLow = 0x00010000 // CKF_USER_PIN_COUNT_LOW
	flagFinalTry = 0x00020000 // CKF_USER_PIN_FINAL_TRY
	flagLocked   = 0x00040000 // CKF_USER_PIN_LOCKED
)

// TestWhatIsKnownOfThePIN has the token say something before the login, or while it serves.
func TestWhatIsKnownOfThePIN(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		before, while uint
		pin           string
		state         hsmpool.State
		want          hsmpool.PINState
	}{
		{"nothing", 0, 0, userPIN, hsmpool.Ready, hsmpool.PINGood},
		{"somebody else gives a wrong one", 0, flagCountLow, userPIN, hsmpool.Ready, hsmpool.PINCountLow},
		{"somebody else locks it", 0, flagLocked, userPIN, hsmpool.Ready, hsmpool.PINLocked},
		{"one try is left", flagFinalTry, 0, userPIN, hsmpool.Stopped, hsmpool.PINFinalTry},
		{"it is locked", flagLocked, 0, userPIN, hsmpool.Stopped, hsmpool.PINLocked},
		{"it is wrong", 0, 0, "wrong-pin-1234", hsmpool.Stopped, hsmpool.PINRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHSM(t)
			library := h.disturb(t)
			h.write(t, "pin", test.pin+"\n")
			library.put(t, faultp11.PINFlags(test.before))
			pool, err := hsmpool.Start(h.config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { closePool(t, pool) })
			eventually(t, fmt.Sprintf("it is %v", test.state), func() bool { return pool.Describe()[0].State == test.state })
			library.put(t, faultp11.PINFlags(test.before|test.while))
			eventually(t, fmt.Sprintf("the PIN is %v", test.want), func() bool { return pool.Describe()[0].PIN == test.want })
		})
	}
}

// TestToAskHowHSMsAreAsksNone asks a thousand times a second, and looks at what the
// library was called meanwhile. What the token says of itself it is asked once a second.
func TestToAskHowHSMsAreAsksNone(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	library := h.disturb(t)
	pool := h.open(t)
	generate(t, pool)
	start := calls(t, library)
	const lasts = 2 * time.Second
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for end := time.Now().Add(lasts); time.Now().Before(end); <-pause.C {
		if s := pool.Describe()[0]; pool.Health() != nil || s.State != hsmpool.Ready {
			t.Fatalf("the HSM is %v: %s", s.State, s.Reason)
		}
	}
	asked := 0
	for _, c := range calls(t, library)[len(start):] {
		if c.Function != "C_GetTokenInfo" {
			t.Errorf("%s was called", c.Function)
		}
		asked++
	}
	if most := int(lasts/time.Second) + 1; asked < 1 || asked > most {
		t.Errorf("the token was asked %d times in %v, want 1 to %d", asked, lasts, most)
	}
}

func calls(t *testing.T, library faults) []faultp11.Call {
	t.Helper()
	all, err := library.Calls()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestATokenThatDoesNotSayHowItIsServes has the question hang.
func TestATokenThatDoesNotSayHowItIsServes(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	library := h.disturb(t)
	pool := h.open(t, soon)
	id := generate(t, pool)
	library.put(t, faultp11.Hang("C_GetTokenInfo"))
	eventually(t, "the token is asked", func() bool { return library.Hits("C_GetTokenInfo") == 1 })
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if s := pool.Describe()[0]; s.Restarts != 0 || s.State != hsmpool.Ready {
		t.Errorf("the HSM is %v after %d restarts: %s", s.State, s.Restarts, s.Reason)
	}
}

// TestAnHSMThatKeepsFailingIsReplacedThenSuspended: its worker is started anew first; if
// that does not help it is only probed, and back when it answers again. Clients notice
// nothing.
func TestAnHSMThatKeepsFailingIsReplacedThenSuspended(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool, libraries := h.cluster(t, 2, func(c *hsmpool.Config) { c.Availability = 1 })
	id := generate(t, pool)
	seal := func() (hsm string) {
		sealed, err := pool.Seal(t.Context(), id, []byte("x"), nil)
		if err != nil {
			t.Fatalf("Seal: %v", err)
		}
		return sealed.Trace.HSM
	}
	libraries[1].put(t, faultp11.Fail("C_EncryptInit", ckr.DeviceError))
	eventually(t, "the worker is replaced", func() bool { seal(); return pool.Describe()[1].Restarts > 0 })
	eventually(t, "the HSM is suspended", func() bool { seal(); return pool.Describe()[1].BreakerOpen })
	libraries[1].clear(t, "C_EncryptInit")
	eventually(t, "it serves again", func() bool { return seal() == "hsm-member1" })
	if s := pool.Describe()[1]; s.State != hsmpool.Ready || s.BreakerOpen || s.Withdrawn != "" {
		t.Errorf("it is %v: %s", s.State, s.Reason)
	}
}

// TestABusyHSMHasFewerPlaces, and all of them when it has time again.
func TestABusyHSMHasFewerPlaces(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	library := h.disturb(t)
	pool := h.open(t, cloudhsm)
	id := generate(t, pool)
	usual := pool.Describe()[0].Places
	library.put(t, faultp11.Fail("C_Encrypt", ckr.FunctionFailed))
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Busy)
	if got := pool.Describe()[0].Places; got == 0 || got >= usual {
		t.Errorf("%d places at a busy HSM, usually %d", got, usual)
	}
	library.clear(t, "C_Encrypt")
	eventually(t, "it has all its places", func() bool {
		_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
		return err == nil && pool.Describe()[0].Places == usual
	})
}
