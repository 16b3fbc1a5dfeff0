package hsmpool_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// startStopped starts a pool with a wrong PIN in its file, and waits until it has stopped.
func (h *hsm) startStopped(t *testing.T, edits ...func(*hsmpool.Config)) *hsmpool.Pool {
	t.Helper()
	h.write(t, "pin", "wrong-pin")
	config := h.config
	for _, edit := range edits {
		edit(&config)
	}
	pool, err := hsmpool.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePool(t, pool) })
	eventually(t, "the pool has stopped", func() bool { return pool.Describe()[0].State == hsmpool.Stopped })
	return pool
}

// TestUnlockCheck: the operator corrects the PIN, or does not.
func TestUnlockCheck(t *testing.T) {
	t.Parallel()
	h, n := newHSM(t), newNotes()
	pool := h.startStopped(t, guarded(n))
	h.write(t, "pin", userPIN)
	before := h.journal.len()
	for _, hsm := range []string{"", "hsm-another"} {
		checks, err := pool.CheckUnlock(t.Context(), hsm)
		if err != nil {
			t.Fatal(err)
		}
		if hsm != "" {
			if len(checks) != 0 {
				t.Errorf("an HSM of another pool: %+v", checks)
			}
			continue
		}
		if len(checks) != 1 || checks[0].PIN != hsmpool.PINCountLow || !checks[0].Started || checks[0].Token.Label != "strongroom" {
			t.Fatalf("checks: %+v", checks)
		}
	}
	eventually(t, "the pool is healthy", func() bool { return pool.Health() == nil })
	want := []string{"Boot", "C_Initialize", "C_Finalize", "Boot", "C_Initialize", "C_Login"}
	if diff := cmp.Diff(want, lines(h.journal.since(before))); diff != "" {
		t.Errorf("HSM entries (-want +got):\n%s", diff)
	}
	generate(t, pool)
	if known := n.only(t); len(known.Refused) != 0 || known.Open != 0 {
		t.Errorf("what was refused is still known: %+v", known)
	}
}

// TestUnlockCheckOfAPINThatIsStillWrong costs one try each.
func TestUnlockCheckOfAPINThatIsStillWrong(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	h.disturb(t).put(t, faultp11.PINLimit(3))
	pool := h.startStopped(t)
	before := h.journal.len()
	if checks, err := pool.CheckUnlock(t.Context(), ""); err != nil || len(checks) != 1 || !checks[0].Started {
		t.Fatalf("%+v, %v", checks, err)
	}
	h.journal.await(t, "second login", func(all []audit.HSMCommand) bool { return count(all[before:], "C_Login") == 1 })
	eventually(t, "the pool has stopped again", func() bool { return pool.Describe()[0].State == hsmpool.Stopped })
	checks, err := pool.CheckUnlock(t.Context(), "")
	if err != nil || len(checks) != 1 || checks[0].Started || checks[0].PIN != hsmpool.PINFinalTry || !strings.Contains(checks[0].Reason, "right PIN") {
		t.Errorf("one try is left: %+v, %v", checks, err)
	}
	if got := h.logins(before); got != 1 {
		t.Errorf("%d logins, want 1", got)
	}
}

// TestUnlockCheckWhenTheTokenDoesNotAllowALogin forgets nothing and starts nothing.
func TestUnlockCheckWhenTheTokenDoesNotAllowALogin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault faultp11.Fault
		state hsmpool.PINState
	}{
		{"locked", faultp11.PINFlags(pinLocked), hsmpool.PINLocked},
		{"final try", faultp11.PINFlags(pinFinalTry), hsmpool.PINFinalTry},
		{"absent", faultp11.Absent(), hsmpool.PINUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, n := newHSM(t), newNotes()
			fault := h.disturb(t)
			pool := h.startStopped(t, guarded(n))
			fault.put(t, test.fault)
			before := h.journal.len()
			checks, err := pool.CheckUnlock(t.Context(), pool.Describe()[0].HSMID)
			if err != nil || len(checks) != 1 || checks[0].PIN != test.state || checks[0].Started || checks[0].Reason == "" {
				t.Errorf("%+v, %v", checks, err)
			}
			if len(n.only(t).Refused) != 1 || h.logins(before) != 0 || pool.Describe()[0].State != hsmpool.Stopped {
				t.Errorf("%+v, %d logins, %v", n.only(t), h.logins(before), pool.Describe()[0].State)
			}
		})
	}
}
