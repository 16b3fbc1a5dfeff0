package hsmpool_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestAGenerationIsNeverRepeated has one member fail after it has made a key.
func TestAGenerationIsNeverRepeated(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool, faulty := h.cluster(t, 2)
	for _, f := range faulty {
		f.put(t, faultp11.Fail("C_GenerateKey", ckr.DeviceError).Kept().Times(1))
	}
	id := newID()
	_, err := pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: id, Label: "once", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	wantClass(t, err, hsmpool.Unavailable)
	if made := faulty[0].Hits("C_GenerateKey") + faulty[1].Hits("C_GenerateKey"); made != 1 {
		t.Errorf("C_GenerateKey was called %d times", made)
	}
	eventually(t, "the orphan is gone", func() bool {
		objects, err := pool.Objects(t.Context())
		return err == nil && len(objects) == 0
	})
}

// lag has each member learn so late of keys that others make from now on.
func lag(tb testing.TB, pool *hsmpool.Pool, faulty []faults, d time.Duration) {
	tb.Helper()
	for _, f := range faulty {
		f.put(tb, faultp11.SyncLag(d))
	}
	_, err := pool.Seal(tb.Context(), newID(), []byte("x"), nil) // all look for it, and see what is there
	wantClass(tb, err, hsmpool.ObjectMissing)
}

// TestAGenerationThatFoundNoHandleIsNotRepeated: its code says that an object is missing,
// and not that nothing was made.
func TestAGenerationThatFoundNoHandleIsNotRepeated(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool, faulty := h.cluster(t, 2)
	for _, f := range faulty {
		f.put(t, faultp11.Fail("C_GenerateKey", ckr.ObjectHandleInvalid).Kept())
	}
	_, err := pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: newID(), Label: "once", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	if err == nil {
		t.Fatal("no error")
	}
	if made := faulty[0].Hits("C_GenerateKey") + faulty[1].Hits("C_GenerateKey"); made != 1 {
		t.Errorf("C_GenerateKey was called %d times", made)
	}
}

// TestANewKeyIsKnownToEnough has the second member learn of new keys late.
func TestANewKeyIsKnownToEnough(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool, faulty := h.cluster(t, 2)
	lag(t, pool, faulty, 300*time.Millisecond)
	began := time.Now()
	id := generate(t, pool)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("the key was answered after %v, before the other member knew it", took)
	}
	lag(t, pool, faulty, time.Hour)
	for range 8 {
		if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
			t.Errorf("Seal: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	late := newID()
	_, err := pool.Generate(ctx, hsmpool.GenerateRequest{ID: late, Label: "late", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	if e := hsmError(t, err, hsmpool.Unavailable); e.Hint == "" || e.Unasked {
		t.Errorf("the error does not say what to do: %+v", e)
	}
	eventually(t, "the key that is known to too few is gone", func() bool {
		_, err := pool.Seal(t.Context(), late, []byte("x"), nil)
		return err != nil
	})
}

// TestAKeyThatOneMemberDoesNotKnowYet is used all the same.
func TestAKeyThatOneMemberDoesNotKnowYet(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool, faulty := h.cluster(t, 2, func(c *hsmpool.Config) { c.Availability = 1 })
	lag(t, pool, faulty, time.Hour)
	l := startLoad(t, pool, generate(t, pool), 4)
	l.more(t, 50)
	if asked := l.end(); len(asked) != 1 {
		t.Errorf("the members that used the key: %v", asked)
	}
	for _, s := range pool.Describe() {
		if s.Restarts != 0 {
			t.Errorf("%s was restarted %d times", s.HSMID, s.Restarts)
		}
	}
	_, err := pool.Seal(t.Context(), newID(), []byte("x"), nil)
	wantClass(t, err, hsmpool.ObjectMissing)
}

// TestADestroyedKeyIsForgottenByAll: handles are given again to other keys.
func TestADestroyedKeyIsForgottenByAll(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool, faulty := h.cluster(t, 2)
	for _, f := range faulty {
		f.put(t, faultp11.ReuseHandles())
	}
	for _, s := range pool.Describe() { // fresh handles from now on
		if err := syscall.Kill(s.WorkerPID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both members are restarted", func() bool {
		all := pool.Describe()
		return all[0].Restarts == 1 && all[1].Restarts == 1 && all[0].State == hsmpool.Ready && all[1].State == hsmpool.Ready
	})
	for range 4 {
		old := generate(t, pool)
		for range 4 { // so that both members have its handle
			if _, err := pool.Seal(t.Context(), old, []byte("x"), nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := pool.Destroy(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		generate(t, pool)
		for range 4 {
			_, err := pool.Seal(t.Context(), old, []byte("x"), nil)
			wantClass(t, err, hsmpool.ObjectMissing)
		}
	}
	for _, s := range pool.Describe() {
		if s.Restarts != 1 {
			t.Errorf("%s was restarted %d times more", s.HSMID, s.Restarts-1)
		}
	}
}
