package hsmpool_test

import (
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestNoHandleIsUsedForTheNextKey has a library give the handle of a destroyed key to the
// next one, and a request for the first be under way meanwhile. It must not use the second.
func TestNoHandleIsUsedForTheNextKey(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	fault.put(t, faultp11.ReuseHandles())
	pool := h.open(t, func(c *hsmpool.Config) { c.Sessions = 2 })
	first := generate(t, pool)
	fault.put(t, faultp11.Delay("C_EncryptInit", 500*time.Millisecond).Times(1))
	type answer struct {
		hsmpool.Sealed
		err error
	}
	sealed := make(chan answer, 1)
	go func() {
		s, err := pool.Seal(t.Context(), first, []byte("x"), nil)
		sealed <- answer{s, err}
	}()
	eventually(t, "the key is used", func() bool { return fault.Seen("C_EncryptInit") > 0 })
	if _, err := pool.Destroy(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second := generate(t, pool)
	got := <-sealed
	if got.err != nil {
		wantClass(t, got.err, hsmpool.ObjectMissing)
		return
	}
	if _, err := pool.Open(t.Context(), second, got.IV[:], got.Ciphertext, nil); err == nil {
		t.Error("what was sealed for one key opens under the next one")
	}
}
