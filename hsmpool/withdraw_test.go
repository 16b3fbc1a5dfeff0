package hsmpool_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

const tooHot = "its temperature is 112 °C"

// TestAWithdrawnHSMIsAskedNothing takes one of two HSMs out of service under load, and
// back.
func TestAWithdrawnHSMIsAskedNothing(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool, libraries := h.cluster(t, 2, func(c *hsmpool.Config) { c.Availability = 1 })
	id := generate(t, pool)
	both := startLoad(t, pool, id, 4)
	both.more(t, 20)
	if err := pool.Withdraw("hsm-member1", tooHot); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its requests have ended", func() bool { return pool.Describe()[1].InFlight == 0 })
	before := operations(t, libraries[1])
	both.more(t, 50)
	if s := pool.Describe()[1]; s.State != hsmpool.Suspended || s.Withdrawn != tooHot || !strings.Contains(s.Reason, tooHot) || s.Restarts != 0 {
		t.Errorf("it is %v (%q), %s, with %d restarts", s.State, s.Withdrawn, s.Reason, s.Restarts)
	}
	generate(t, pool)
	if got := operations(t, libraries[1]) - before; got != 0 {
		t.Errorf("it was asked %d times", got)
	}
	if err := pool.Health(); err != nil {
		t.Errorf("Health: %v", err)
	}
	if err := pool.Restore("hsm-member1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is asked again", func() bool { return operations(t, libraries[1]) > before })
	both.end()
	if s := pool.Describe()[1]; s.State != hsmpool.Ready || s.Withdrawn != "" || s.Reason != "" {
		t.Errorf("it is %v (%q), %s", s.State, s.Withdrawn, s.Reason)
	}
}

// operations is how often a library was asked to use or to make a key, or to look for one.
func operations(t *testing.T, library faults) (n int) {
	t.Helper()
	for _, c := range calls(t, library) {
		switch c.Function {
		case "C_EncryptInit", "C_DecryptInit", "C_GenerateKey", "C_FindObjectsInit":
			n++
		}
	}
	return n
}

// TestTheOnlyHSMIsWithdrawn: what it does is done, and what waits, or comes, fails at once.
func TestTheOnlyHSMIsWithdrawn(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	library := h.disturb(t)
	pool := h.open(t, cloudhsm)
	id := generate(t, pool)
	hsmID := pool.Describe()[0].HSMID
	library.put(t, faultp11.Hang("C_Encrypt"))
	running := make(chan error, 1)
	go func() {
		_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
		running <- err
	}()
	eventually(t, "a request runs", func() bool { return library.Hits("C_Encrypt") == 1 })
	if err := pool.Withdraw(hsmID, tooHot); err != nil {
		t.Fatal(err)
	}

	began := time.Now()
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	if e := hsmError(t, err, hsmpool.Unavailable); !e.Unasked || e.HSM != hsmID || e.Hint == "" || !strings.Contains(e.Error(), tooHot) {
		t.Errorf("Seal: %v", err)
	}
	_, err = pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: newID(), Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	wantClass(t, err, hsmpool.Unavailable)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("requests failed after %v", took)
	}
	if err := pool.Health(); err == nil || !strings.Contains(err.Error(), tooHot) {
		t.Errorf("Health: %v", err)
	}

	library.clear(t, "C_Encrypt")
	if err := <-running; err != nil {
		t.Errorf("the request that was running: %v", err)
	}
	if err := errors.Join(pool.Restore(hsmID), pool.Restore(hsmID), pool.Health()); err != nil {
		t.Error(err)
	}
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("after Restore: %v", err)
	}
}

// TestWaitingRequestsLearnOfAWithdrawal has a request wait for a worker that is replaced.
func TestWaitingRequestsLearnOfAWithdrawal(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	library := h.disturb(t)
	pool := h.open(t, cloudhsm)
	id := generate(t, pool)
	library.put(t, faultp11.Hang("C_Login"))
	library.put(t, faultp11.Fail("C_EncryptInit", ckr.DeviceError).Times(1))
	waiting := make(chan error, 1)
	go func() {
		_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
		waiting <- err
	}()
	eventually(t, "the request waits", func() bool { return pool.Describe()[0].Waiting == 1 })
	if err := pool.Withdraw(pool.Describe()[0].HSMID, tooHot); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err == nil || !strings.Contains(err.Error(), tooHot) {
		t.Errorf("the request that was waiting: %v", err)
	}
	library.clear(t, "C_Login")
}

func TestOnlyHSMsOfThePoolAreWithdrawn(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	for _, change := range []func(string) error{
		func(id string) error { return pool.Withdraw(id, tooHot) }, pool.Restore,
	} {
		if err := change("hsm-another"); err == nil || !strings.Contains(err.Error(), `"hsm-another"`) {
			t.Errorf("an HSM that is not the pool's: %v", err)
		}
	}
	if err := pool.Health(); err != nil {
		t.Error(err)
	}
}
