package hsmpool_test

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestManagementHasItsOwnLimit has many callers want a key while the library is at one:
// they do not keep others from using keys.
func TestManagementHasItsOwnLimit(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.MaxInFlight, c.HangTimeout = 2, 500*time.Millisecond })
	id := generate(t, pool)
	fault.put(t, faultp11.Hang("C_GenerateKey").Times(1))
	ctx, cancel := context.WithCancel(t.Context())
	const callers, admitted = 40, 33
	answers := make(chan error, callers)
	var clients sync.WaitGroup
	for range callers {
		clients.Go(func() {
			_, err := pool.Generate(ctx, hsmpool.GenerateRequest{ID: newID(), Label: "crowd", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
			answers <- err
		})
	}
	for range callers - admitted {
		wantClass(t, <-answers, hsmpool.Busy)
	}
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal beside the crowd: %v", err)
	}
	cancel()
	clients.Wait()
	for range admitted {
		wantClass(t, <-answers, hsmpool.Timeout)
	}
}

// TestWorkersThatDieAtOnceFailFast kills two workers in a row before they have done
// anything: nobody waits for the third.
func TestWorkersThatDieAtOnceFailFast(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	config := h.config
	h.slowStart(&config)
	pool := h.open(t, func(c *hsmpool.Config) { *c = config })
	first := kill(t, pool, syscall.SIGKILL)
	eventually(t, "the second worker is ready", func() bool {
		s := pool.Describe()[0]
		return s.State == hsmpool.Ready && s.WorkerPID != first
	})
	h.write(t, "started", "") // from now on starts are slow
	kill(t, pool, syscall.SIGKILL)
	eventually(t, "the second worker is lost", func() bool { return pool.Health() != nil })
	began := time.Now()
	_, err := pool.Seal(t.Context(), newID(), []byte("x"), nil)
	wantClass(t, err, hsmpool.Unavailable)
	if waited := time.Since(began); waited > 3*time.Second {
		t.Errorf("a request waited %v for a worker", waited)
	}
}

// TestUnknownRefusalOfALoginIsFinal: what a token may count as a wrong PIN is not tried
// again.
func TestUnknownRefusalOfALoginIsFinal(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	fault.put(t, faultp11.Fail("C_Login", ckr.RV(0x80000001)))
	before := h.journal.len()
	kill(t, pool, syscall.SIGKILL)
	h.journal.await(t, "end of the start", func(entries []audit.HSMCommand) bool { return count(entries[before:], "C_Finalize") == 1 })
	_, err := pool.Seal(t.Context(), newID(), []byte("x"), nil)
	wantClass(t, err, hsmpool.Operator)
	if got := pool.Describe()[0].State; got != hsmpool.Stopped {
		t.Errorf("the hsm is %v", got)
	}
}
