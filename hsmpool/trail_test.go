package hsmpool_test

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
)

// TestRealTrail leads a token's life, with the loss of a worker, on the trail that a
// server has.
func TestRealTrail(t *testing.T) {
	t.Parallel()
	h := newEmptyHSM(t)
	dir := filepath.Join(h.dir, "journal")
	trail, _, err := audit.Open(audit.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = trail.Close(context.Background()) }()
	h.config.Auditor = trail
	initConfig := h.initConfig()
	initConfig.Auditor = trail
	if err := hsmpool.InitToken(t.Context(), initConfig); err != nil {
		t.Fatal(err)
	}
	pool := h.open(t)
	id := generate(t, pool)
	kill(t, pool, syscall.SIGKILL)
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil { // of the next worker
		t.Error(err)
	}
	if _, err := pool.Destroy(t.Context(), id); err != nil {
		t.Error(err)
	}
	if got := pool.Describe()[0].RebootCounter; got != 3 {
		t.Errorf("reboot counter %d", got)
	}
	closePool(t, pool)
	if err := trail.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(dir)
	if want := uint64(6 + 3 + 5); err != nil || report.HSMEntries != want {
		t.Errorf("%d HSM entries, want %d; %v", report.HSMEntries, want, err)
	}
}

// TestStartsWaitForTheJournal kills the worker while nothing can be written: no
// successor logs in before its start is on record.
func TestStartsWaitForTheJournal(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	before := h.journal.len()
	h.journal.breakdown(errors.New("disk full"))
	kill(t, pool, syscall.SIGKILL)
	eventually(t, "starts have failed", func() bool { return h.journal.refusals() > 4 })
	if pool.Health() == nil {
		t.Error("the pool is healthy although the worker's start is not on record")
	}
	h.journal.breakdown(nil)
	eventually(t, "the pool is healthy", func() bool { return pool.Health() == nil })
	want := []string{"Boot", "C_Initialize", "Boot", "C_Initialize", "C_Login"}
	if diff := cmp.Diff(want, lines(h.journal.since(before))); diff != "" {
		t.Errorf("HSM entries (-want +got):\n%s", diff)
	}
}
