package hsmpool_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestSlowIsNotHung has many requests wait for an HSM that takes its time for each.
func TestSlowIsNotHung(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.HangTimeout = 400 * time.Millisecond })
	id := generate(t, pool)
	fault.put(t, faultp11.Delay("C_Encrypt", 50*time.Millisecond))
	var clients sync.WaitGroup
	for range 24 {
		clients.Go(func() {
			if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
				t.Errorf("Seal: %v", err)
			}
		})
	}
	clients.Wait()
	if got := pool.Describe()[0].Restarts; got != 0 {
		t.Errorf("%d restarts of a worker that was only slow", got)
	}
}

// TestHungCallIsFound has one call of the library not return, in a worker that runs.
func TestHungCallIsFound(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.HangTimeout = 300 * time.Millisecond })
	id := generate(t, pool)
	fault.put(t, faultp11.Hang("C_Encrypt").Times(1))
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal over a hung call: %v", err)
	}
	if got := pool.Describe()[0].Restarts; got != 1 {
		t.Errorf("%d restarts, want 1", got)
	}
}

// TestSlowGenerationIsNotHung: making a key may take longer than using one.
func TestSlowGenerationIsNotHung(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.HangTimeout = 200 * time.Millisecond })
	fault.put(t, faultp11.Delay("C_GenerateKey", 800*time.Millisecond).Times(1))
	generate(t, pool)
	if got := pool.Describe()[0].Restarts; got != 0 {
		t.Errorf("%d restarts", got)
	}
}

// TestStopWaitsForTheLibrary closes the pool while the library is at a request whose
// caller has given up.
func TestStopWaitsForTheLibrary(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id := generate(t, pool)
	fault.put(t, faultp11.Overlap())
	fault.put(t, faultp11.Delay("C_Encrypt", 500*time.Millisecond).Times(1))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := pool.Seal(ctx, id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Timeout)
	closePool(t, pool)
	if fault.Hits("overlap") > 0 {
		t.Error("the library was finalised during another call")
	}
	if got := count(h.journal.since(0), "C_Finalize"); got != 2 {
		t.Errorf("C_Finalize was called %d times, want 2", got)
	}
}

// slowStart has all starts after the first wait for their PIN.
func (h *hsm) slowStart(c *hsmpool.Config) (started string) {
	started = filepath.Join(h.dir, "started")
	c.PIN = hsmpool.PINSource{Command: []string{"sh", "-c",
		"if [ -e " + started + " ]; then echo $$ > " + started + "; sleep 5; fi; cat " + h.pinFile}}
	return started
}

// TestCloseEndsEveryWait closes the pool while a request waits for the next worker. What
// the worker has started ends with it.
func TestCloseEndsEveryWait(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	config := h.config
	started := h.slowStart(&config)
	pool, err := hsmpool.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "started", "")
	kill(t, pool, syscall.SIGKILL)
	eventually(t, "the next worker reads its PIN", func() bool { b, err := os.ReadFile(started); return err == nil && len(b) > 1 })
	answered := make(chan error, 1)
	go func() {
		_, err := pool.Seal(context.Background(), newID(), []byte("x"), nil)
		answered <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = pool.Close(ctx)
	select {
	case err := <-answered:
		wantClass(t, err, hsmpool.Unavailable)
	case <-time.After(2 * time.Second):
		t.Error("a request waits for ever")
	}
	eventually(t, "the PIN's command has ended", func() bool { return !running(t, started) })
}

// running tells whether there is a process of the number that a file has.
func running(tb testing.TB, file string) bool {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil || len(b) == 0 {
		tb.Fatalf("the process's number in %s: %q, %v", file, b, err)
	}
	stat, err := os.ReadFile(filepath.Join("/proc", string(b[:len(b)-1]), "stat"))
	return err == nil && len(stat) > 0
}
