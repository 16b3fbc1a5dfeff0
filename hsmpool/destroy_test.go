package hsmpool_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestDestroyUnderUse destroys a key while requests use it: they find it missing, and
// nobody holds that against the worker.
func TestDestroyUnderUse(t *testing.T) {
	for _, test := range []struct {
		name, slow string
	}{
		{"destroyed between lookup and use", "C_EncryptInit"},
		{"used while it is destroyed", "C_DestroyObject"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHSM(t)
			fault := h.disturb(t)
			pool := h.open(t, func(c *hsmpool.Config) { c.Sessions = 2 })
			id := generate(t, pool)
			fault.put(t, faultp11.Delay(test.slow, 300*time.Millisecond).Times(1))
			done := make(chan struct{}, 2)
			seal := func() {
				_, _ = pool.Seal(t.Context(), id, []byte("x"), nil) // it may come too late
				done <- struct{}{}
			}
			destroy := func() {
				if _, err := pool.Destroy(t.Context(), id); err != nil {
					t.Errorf("Destroy: %v", err)
				}
				done <- struct{}{}
			}
			first, second := seal, destroy
			if test.slow == "C_DestroyObject" {
				first, second = destroy, seal
			}
			go first()
			eventually(t, test.slow+" is called", func() bool { return fault.Seen(test.slow) > 0 })
			go second()
			<-done
			<-done
			_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
			wantClass(t, err, hsmpool.ObjectMissing)
			if got := pool.Describe()[0].Restarts; got != 0 {
				t.Errorf("%d restarts because a key was destroyed", got)
			}
		})
	}
}

// TestDestroyOfAKeyThatIsAway: that the library does not find a key does not mean that
// it is destroyed.
func TestDestroyOfAKeyThatIsAway(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	id := generate(t, pool)
	tokens, moved := filepath.Join(h.dir, "tokens"), filepath.Join(h.dir, "moved")
	if err := os.Rename(tokens, moved); err != nil {
		t.Fatal(err)
	}
	_, err := pool.Destroy(t.Context(), id)
	wantClass(t, err, hsmpool.Unavailable)
	if err := os.Rename(moved, tokens); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pool is healthy again", func() bool { return pool.Health() == nil })
	if _, err := pool.Destroy(t.Context(), id); err != nil {
		t.Errorf("Destroy after the token has come back: %v", err)
	}
}

// TestFailedDestroyKeepsTheKey uses a key that could not be destroyed.
func TestFailedDestroyKeepsTheKey(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id := generate(t, pool)
	fault.put(t, faultp11.Fail("C_DestroyObject", ckr.FunctionFailed).Times(1))
	_, err := pool.Destroy(t.Context(), id)
	wantClass(t, err, hsmpool.Unavailable)
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal: %v", err)
	}
	if got := pool.Describe()[0].Keys; got != 1 {
		t.Errorf("%d keys, want 1", got)
	}
}

// TestOddKeyDoesNotKeepTheHSMFromStarting has the token's only key not tell its id.
func TestOddKeyDoesNotKeepTheHSMFromStarting(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id := generate(t, pool)
	closePool(t, pool)
	for _, rv := range []ckr.RV{ckr.AttributeTypeInvalid, ckr.ObjectHandleInvalid} {
		fault.put(t, faultp11.Fail("C_GetAttributeValue", rv).Kept().Times(1))
		again := h.open(t)
		if got := again.Describe()[0].Keys; got != 0 {
			t.Errorf("%v: %d keys, want none", rv, got)
		}
		if _, err := again.Seal(t.Context(), id, []byte("x"), nil); err != nil {
			t.Errorf("%v: the key is not found by its id: %v", rv, err)
		}
		closePool(t, again)
	}
}

// TestDestroyIsDurable: no answer says that a key is gone before its directory is synced,
// which something that cannot be opened prevents here.
func TestDestroyIsDurable(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	id := generate(t, pool)
	loop := filepath.Join(h.dir, "tokens", "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"of a key", "of a key that is gone already"} {
		_, err := pool.Destroy(t.Context(), id)
		if wantClass(t, err, hsmpool.Unavailable); !strings.Contains(err.Error(), loop) {
			t.Errorf("Destroy %s: %v, want an error that names %s", what, err, loop)
		}
	}
	if err := os.Remove(loop); err != nil {
		t.Fatal(err)
	}
	_, err := pool.Destroy(t.Context(), id)
	wantClass(t, err, hsmpool.ObjectMissing)
	if s := pool.Describe()[0]; s.Restarts != 0 || s.Keys != 0 {
		t.Errorf("%d restarts, %d keys", s.Restarts, s.Keys)
	}
}
