package hsmpool_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Flags of CK_TOKEN_INFO about the user PIN (PKCS #11 v2.40, 3.2).
const (
	pinCountLow = 0x00010000
	pinFinalTry = 0x00020000
	pinLocked   = 0x00040000
)

// notes is a LoginStore that outlasts the processes that a test plays.
type notes struct {
	mu     sync.Mutex
	logins map[string]hsmpool.LoginHistory
	broken error
}

func newNotes() *notes { return &notes{logins: map[string]hsmpool.LoginHistory{}} }

func (n *notes) Update(_ context.Context, serial string, change func(*hsmpool.LoginHistory)) (hsmpool.LoginHistory, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.logins[serial]
	after := before
	change(&after)
	if n.broken != nil {
		return before, n.broken
	}
	n.logins[serial] = after
	return before, nil
}

// only is what is known of the logins to the one token that there is.
func (n *notes) only(tb testing.TB) hsmpool.LoginHistory {
	tb.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.logins) != 1 {
		tb.Fatalf("logins to %d tokens are noted, want one", len(n.logins))
	}
	return slices.Collect(maps.Values(n.logins))[0]
}

// guarded gives a pool the guard of a process of its own.
func guarded(n *notes) func(*hsmpool.Config) {
	return func(c *hsmpool.Config) { c.Guard = hsmpool.NewPINGuard(n) }
}

func withPIN(pin string) func(*hsmpool.Config) {
	return func(c *hsmpool.Config) { c.PIN = hsmpool.PINSource{Secret: []byte(pin)} }
}

// tryOpen opens a pool and closes it again, and returns why it could not be opened.
func (h *hsm) tryOpen(tb testing.TB, edits ...func(*hsmpool.Config)) error {
	tb.Helper()
	config := h.config
	for _, edit := range edits {
		edit(&config)
	}
	pool, err := hsmpool.Open(tb.Context(), config)
	if err == nil {
		closePool(tb, pool)
	}
	return err
}

// logins counts the logins among the entries from the n-th on.
func (h *hsm) logins(n int) int { return count(h.journal.since(n), "C_Login") }

// TestARefusedPINIsTriedOnce plays a server that is started again and again, by PINs from
// wherever they come, at a token that locks after three wrong ones.
func TestARefusedPINIsTriedOnce(t *testing.T) {
	t.Parallel()
	h, n := newHSM(t), newNotes()
	fault := h.disturb(t)
	fault.put(t, faultp11.PINLimit(3))
	const refused, accepted = hsmpool.Operator, hsmpool.Class(0)
	for i, step := range []struct {
		pin      string
		want     hsmpool.Class
		function string // that refused it; empty: nothing was tried
		logins   int
	}{
		{"wrong-pin-1", refused, "C_Login", 1},
		{"wrong-pin-1", refused, "", 0},
		{"wrong-pin-1", refused, "", 0},
		{userPIN, accepted, "", 1},
		{"wrong-pin-1", refused, "C_Login", 1}, // the token has begun to count anew
		{"wrong-pin-1", refused, "", 0},
		{userPIN, accepted, "", 1},
	} {
		before := h.journal.len()
		err := h.tryOpen(t, guarded(n), withPIN(step.pin))
		if got := h.logins(before); got != step.logins {
			t.Errorf("step %d: %d logins, want %d", i, got, step.logins)
		}
		if step.want == accepted {
			if err != nil {
				t.Errorf("step %d: %v", i, err)
			}
			continue
		}
		e := hsmError(t, err, step.want)
		if e.Function != step.function || e.RV != uint32(ckr.PINIncorrect) {
			t.Errorf("step %d: %s and %v", i, e.Function, ckr.RV(e.RV))
		}
		if step.function == "" && !strings.Contains(err.Error(), "strongroom hsm unlock-check") {
			t.Errorf("step %d: it does not say what to do: %v", i, err)
		}
	}
}

// TestSeveralPINsAreRemembered: one wrong PIN does not make another forgotten.
func TestSeveralPINsAreRemembered(t *testing.T) {
	t.Parallel()
	h, n := newHSM(t), newNotes()
	for i, pin := range []string{"wrong-a", "wrong-b", "wrong-a", "wrong-b"} {
		before := h.journal.len()
		wantClass(t, h.tryOpen(t, guarded(n), withPIN(pin)), hsmpool.Operator)
		if want := map[bool]int{true: 1, false: 0}[i < 2]; h.logins(before) != want {
			t.Errorf("attempt %d by %s: %d logins, want %d", i, pin, h.logins(before), want)
		}
	}
	known := n.only(t)
	if len(known.Refused) != 2 || known.Open != 0 {
		t.Errorf("noted: %+v", known)
	}
	for _, r := range known.Refused {
		if len(r.Salt) != 16 || len(r.Hash) != 32 || r.At.IsZero() {
			t.Errorf("a refused PIN is noted as %+v", r)
		}
	}
}

// TestAWrongPINIsTriedOnceByAll starts many who have the same wrong PIN at once: members of
// one process, and processes that share a store.
func TestAWrongPINIsTriedOnceByAll(t *testing.T) {
	t.Parallel()
	for _, processes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d processes", processes), func(t *testing.T) {
			t.Parallel()
			h, n := newHSM(t), newNotes()
			before := h.journal.len()
			var starts sync.WaitGroup
			for range processes {
				guard := hsmpool.NewPINGuard(n)
				for range 3 / processes {
					starts.Go(func() {
						shared := func(c *hsmpool.Config) { c.Guard = guard }
						if err := h.tryOpen(t, shared, withPIN("wrong-pin")); err == nil {
							t.Error("a wrong PIN was accepted")
						}
					})
				}
			}
			starts.Wait()
			if got := h.logins(before); got != 1 {
				t.Errorf("the wrong PIN was tried %d times", got)
			}
		})
	}
}

// TestLoginsThatNobodySawTheEndOf kills workers at their login.
func TestLoginsThatNobodySawTheEndOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		pin    string
		faults []faultp11.Fault
		starts int // that are made
		logins int // that are tried
		want   hsmpool.Class
		says   string
	}{
		{"once", userPIN, []faultp11.Fault{faultp11.Kill("C_Login", syscall.SIGKILL).Times(1)}, 2, 2, 0, ""},
		{"again and again", userPIN, []faultp11.Fault{faultp11.Kill("C_Login", syscall.SIGKILL)}, 5, 3, hsmpool.Operator, "nobody knows how the 3 before it ended"},
		{"once, and the token counts", "wrong-pin", []faultp11.Fault{faultp11.PINLimit(3), faultp11.Kill("C_Login", syscall.SIGKILL).Kept()}, 3, 1,
			hsmpool.Operator, "the token says that a wrong PIN was given"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, n := newHSM(t), newNotes()
			fault := h.disturb(t)
			if err := fault.Set(test.faults...); err != nil {
				t.Fatal(err)
			}
			guard, before := hsmpool.NewPINGuard(n), h.journal.len()
			var err error
			for range test.starts {
				err = h.tryOpen(t, func(c *hsmpool.Config) { c.Guard = guard }, withPIN(test.pin))
			}
			if got := h.logins(before); got != test.logins {
				t.Errorf("%d logins, want %d", got, test.logins)
			}
			if test.want == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e := hsmError(t, err, test.want)
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(e.Hint, "strongroom hsm unlock-check") {
				t.Errorf("it does not say %q and what to do: %v", test.says, err)
			}
			entries := lines(h.journal.since(0))
			if diff := cmp.Diff([]string{"Boot", "C_Initialize", "C_Finalize"}, entries[len(entries)-3:]); diff != "" {
				t.Errorf("the HSM entries of a login that is not tried (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAMemberThatWasReadyGoesOn: its PIN was right a moment ago.
func TestAMemberThatWasReadyGoesOn(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t, guarded(newNotes()))
	const lost = 4
	fault.put(t, faultp11.Kill("C_Login", syscall.SIGKILL).Times(lost))
	before := h.journal.len()
	kill(t, pool, syscall.SIGKILL)
	eventually(t, "the pool is healthy again", func() bool { return h.logins(before) > 0 && pool.Health() == nil })
	if got := h.logins(before); got != lost+1 {
		t.Errorf("%d logins, want %d", got, lost+1)
	}
}

// TestWhatTheTokenSaysOfItsPIN: it is believed before a login is tried.
func TestWhatTheTokenSaysOfItsPIN(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	for _, test := range []struct {
		name  string
		flags uint
		says  string // why no login is tried
		warns bool
	}{
		{"nothing", 0, "", false},
		{"count low", pinCountLow, "", true},
		{"final try", pinCountLow | pinFinalTry, "one last try", false},
		{"locked", pinLocked, "is locked", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			fault.put(t, faultp11.PINFlags(test.flags))
			before := h.journal.len()
			if test.says != "" {
				for range 2 {
					e := hsmError(t, h.tryOpen(t), hsmpool.Operator)
					if e.RV != uint32(ckr.PINLocked) || !strings.Contains(e.Error(), test.says) || !strings.Contains(e.Hint, "unlock-check") {
						t.Errorf("it does not say why, and what to do: %v", e)
					}
				}
				if got := h.logins(before); got != 0 {
					t.Errorf("%d logins", got)
				}
				return
			}
			pool := h.open(t)
			if warning := pool.Describe()[0].Warning; (warning != "") != test.warns {
				t.Errorf("the warning is %q", warning)
			}
			generate(t, pool)
		})
	}
}

// TestNoLoginThatCannotBeNoted has the store fail.
func TestNoLoginThatCannotBeNoted(t *testing.T) {
	t.Parallel()
	h, n := newHSM(t), newNotes()
	n.broken = errors.New("disk full")
	before := h.journal.len()
	err := h.tryOpen(t, guarded(n))
	wantClass(t, err, hsmpool.Unavailable)
	if !strings.Contains(err.Error(), "disk full") {
		t.Errorf("it does not say why: %v", err)
	}
	if diff := cmp.Diff([]string{"Boot", "C_Initialize", "C_Finalize"}, lines(h.journal.since(before))); diff != "" {
		t.Errorf("HSM entries (-want +got):\n%s", diff)
	}
	n.broken = nil
	if err := h.tryOpen(t, guarded(n)); err != nil {
		t.Errorf("the store has recovered: %v", err)
	}
}
