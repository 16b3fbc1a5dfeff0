package hsmpool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
)

// TestLostGeneration has C_GenerateKey hang until the worker is killed: the call's
// entry says that there was no reply, and whatever key it left is destroyed.
func TestLostGeneration(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t, func(c *hsmpool.Config) {
		c.HangTimeout, c.ManagementTimeout = 300*time.Millisecond, 300*time.Millisecond
	})
	unlock := h.lockToken(t)
	id := newID()
	before := h.journal.len()
	_, err := pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: id, Label: "lost", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	wantClass(t, err, hsmpool.Unavailable)
	entries := h.journal.since(before)
	if len(entries) == 0 || entries[0].Function != "C_GenerateKey" || !entries[0].NoReply || entries[0].KeyID != id.String() {
		t.Fatalf("entries %+v, want a C_GenerateKey without a reply", entries)
	}
	unlock()
	if generate(t, pool) == id {
		t.Fatal("ids repeat")
	}
	_, err = pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.ObjectMissing)
	if got := count(h.journal.since(before), "C_GenerateKey"); got != 2 {
		t.Errorf("C_GenerateKey was called %d times, want 2: it must not be repeated", got)
	}
}

// TestLateGenerationIsUndone has C_GenerateKey succeed after its caller's deadline.
func TestLateGenerationIsUndone(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	unlock := h.lockToken(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	id := newID()
	before := h.journal.len()
	_, err := pool.Generate(ctx, hsmpool.GenerateRequest{ID: id, Label: "late", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	wantClass(t, err, hsmpool.Timeout)
	_, err = pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: id, Label: "again", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	wantClass(t, err, hsmpool.Internal)
	unlock()
	h.journal.await(t, "destruction", func(entries []audit.HSMCommand) bool { return count(entries, "C_DestroyObject") == 1 })
	if diff := cmp.Diff([]string{"C_GenerateKey", "C_DestroyObject"}, lines(h.journal.since(before))); diff != "" {
		t.Errorf("HSM entries (-want +got):\n%s", diff)
	}
}

// TestNoCommandBesideAnAbandonedOne has a second caller come while the first one's
// command, which he no longer waits for, has left no entry yet.
func TestNoCommandBesideAnAbandonedOne(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	unlock := h.lockToken(t)
	before := h.journal.len()
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := pool.Generate(ctx, hsmpool.GenerateRequest{ID: newID(), Label: "late", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
		cancel()
		wantClass(t, err, hsmpool.Timeout)
	}
	unlock()
	generate(t, pool)
	h.journal.await(t, "destruction", func(entries []audit.HSMCommand) bool { return count(entries, "C_DestroyObject") == 1 })
	if got := count(h.journal.since(before), "C_GenerateKey"); got != 2 {
		t.Errorf("C_GenerateKey was called %d times, want 2: for the first caller and the last", got)
	}
}

// lockToken has every call that writes to the token wait: SoftHSM takes a write lock
// of a file of the token for each change, and a read lock for each look at it.
func (h *hsm) lockToken(tb testing.TB) (unlock func()) {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "tokens", "*", "generation"))
	if err != nil || len(files) != 1 {
		tb.Fatalf("the token's generation file: %v, %v", files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		tb.Fatal(err)
	}
	lock := syscall.Flock_t{Type: syscall.F_RDLCK}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err != nil {
		tb.Fatalf("locking the token: %v", err)
	}
	return func() { _ = f.Close() } // which releases the lock
}

// TestUnwrittenEntryIsNoSuccess breaks the journal under management requests.
func TestUnwrittenEntryIsNoSuccess(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	id := generate(t, pool)
	before := h.journal.len()
	full := errors.New("disk full")
	h.journal.breakdown(full)

	made := newID()
	_, err := pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: made, Label: "unrecorded", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	wantClass(t, err, hsmpool.Unavailable)
	if !errors.Is(err, full) {
		t.Errorf("the error hides its cause: %v", err)
	}
	_, err = pool.Destroy(t.Context(), id)
	wantClass(t, err, hsmpool.Unavailable)
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal, which leaves no entry: %v", err)
	}

	h.journal.breakdown(nil)
	h.journal.await(t, "destruction of the orphan", func(entries []audit.HSMCommand) bool { return count(entries, "C_DestroyObject") == 1 })
	want := []string{"C_GenerateKey", "C_DestroyObject"}
	entries := h.journal.since(before)
	if diff := cmp.Diff(want, lines(entries)); diff != "" {
		t.Errorf("HSM entries (-want +got):\n%s", diff)
	}
	if got := entries[1].KeyID; got != made.String() {
		t.Errorf("key %s was destroyed, want the orphan %s", got, made)
	}
}

// TestDuplicateID refuses a second key of an id and keeps the first.
func TestDuplicateID(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	id := generate(t, pool)
	_, err := pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: id, Label: "again", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	wantClass(t, err, hsmpool.Internal)
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("the first key is gone: %v", err)
	}
}
