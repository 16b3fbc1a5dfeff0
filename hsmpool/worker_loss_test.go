package hsmpool_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// kill signals the worker of the moment. After SIGSTOP it waits until every thread has
// stopped, because a signal sent is not a signal handled.
func kill(tb testing.TB, pool *hsmpool.Pool, signal syscall.Signal) int {
	tb.Helper()
	pid := pool.Describe()[0].WorkerPID
	if pid == 0 {
		tb.Fatal("there is no worker")
	}
	if err := syscall.Kill(pid, signal); err != nil {
		tb.Fatalf("kill %d: %v", pid, err)
	}
	if signal == syscall.SIGSTOP {
		eventually(tb, "the worker is stopped", func() bool { return stopped(tb, pid) })
	}
	return pid
}

// stopped tells whether every thread of a process is in state T.
func stopped(tb testing.TB, pid int) bool {
	tb.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		tb.Fatalf("the threads of %d: %v, %v", pid, threads, err)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if _, rest, _ := strings.Cut(string(stat), ") "); err != nil || !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return true
}

// eventually waits for what no event tells.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain until %s", what)
		}
	}
}

// TestKilledWorkersGoUnnoticed kills workers again and again under 64 requests in flight.
func TestKilledWorkersGoUnnoticed(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	id := generate(t, pool)
	const kills = 3
	var done atomic.Bool
	var sealed atomic.Int64
	var clients sync.WaitGroup
	for range 64 {
		clients.Go(func() {
			for !done.Load() {
				if _, err := pool.Seal(t.Context(), id, []byte("plaintext"), nil); err != nil {
					t.Errorf("Seal: %v", err)
					return
				}
				sealed.Add(1)
			}
		})
	}
	for n := range kills {
		h.journal.await(t, "login", func(entries []audit.HSMCommand) bool { return count(entries, "C_Login") >= n+2 })
		eventually(t, "more is sealed", func() bool { return sealed.Load() >= int64(200*(n+1)) || t.Failed() })
		kill(t, pool, syscall.SIGKILL)
	}
	h.journal.await(t, "login", func(entries []audit.HSMCommand) bool { return count(entries, "C_Login") >= kills+2 })
	done.Store(true)
	clients.Wait()
	if _, err := pool.Seal(t.Context(), id, []byte("plaintext"), nil); err != nil {
		t.Errorf("Seal after the last kill: %v", err)
	}
	if got := pool.Describe()[0]; got.Restarts != kills || got.RebootCounter != kills+2 || got.Keys != 1 {
		t.Errorf("restarts %d, reboot counter %d, keys %d", got.Restarts, got.RebootCounter, got.Keys)
	}
}

func count(entries []audit.HSMCommand, function string) int {
	n := 0
	for _, e := range entries {
		if e.Function == function {
			n++
		}
	}
	return n
}

// TestHungWorkerIsReplaced stops the worker by SIGSTOP: the request waits for the next
// one, unless its deadline comes first.
func TestHungWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t, func(c *hsmpool.Config) { c.HangTimeout = 500 * time.Millisecond })
	id := generate(t, pool)
	kill(t, pool, syscall.SIGSTOP)
	hasty, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := pool.Seal(hasty, id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Timeout)
	if late := time.Since(began); late > 400*time.Millisecond {
		t.Errorf("a deadline of 50 ms was kept after %v", late)
	}
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal over a hung worker: %v", err)
	}
	if got := pool.Describe()[0].Restarts; got != 1 {
		t.Errorf("%d restarts, want 1", got)
	}
}

// TestIdleHungWorkerIsReplaced shows that nobody has to ask for it.
func TestIdleHungWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.HangTimeout = 300 * time.Millisecond })
	kill(t, pool, syscall.SIGSTOP)
	h.journal.await(t, "second login", func(entries []audit.HSMCommand) bool { return count(entries, "C_Login") >= 3 })
}

func TestBusy(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t, func(c *hsmpool.Config) { c.MaxInFlight = 4 })
	id := generate(t, pool)
	pid := kill(t, pool, syscall.SIGSTOP)
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() { _, _ = pool.Seal(ctx, id, []byte("x"), nil) })
	}
	eventually(t, "four are in flight", func() bool { return pool.Describe()[0].InFlight == 4 })
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Busy)
	cancel()
	clients.Wait()
	hasty, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	_, err = pool.Seal(hasty, id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Timeout) // the worker still has the four, so there is no place
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "none is in flight", func() bool { return pool.Describe()[0].InFlight == 0 })
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal when the worker goes on: %v", err)
	}
}

func TestClosedPoolRefuses(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	id := generate(t, pool)
	closePool(t, pool)
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Unavailable)
	if err := pool.Health(); err == nil {
		t.Error("a closed pool is healthy")
	}
}

// TestCloseDoesNotWaitForAHungWorker keeps to its context.
func TestCloseDoesNotWaitForAHungWorker(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool, err := hsmpool.Open(t.Context(), h.config)
	if err != nil {
		t.Fatal(err)
	}
	kill(t, pool, syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := pool.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v, want a deadline", err)
	}
}

// TestLostUseOfAPairIsRepeated kills the worker while it signs, decrypts and agrees: the
// next one does it.
func TestLostUseOfAPairIsRepeated(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	sign, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Sign)
	agree, spki := generateKey(t, pool, hsmpool.P256, hsmpool.Agree)
	decrypt, public := generateKey(t, pool, hsmpool.RSA2048, hsmpool.Encrypt)
	ciphertext := encrypt(t, parse[*rsa.PublicKey](t, public), crypto.SHA256, []byte("message"))
	for function, do := range map[string]func() error{
		"C_Sign": func() error {
			_, err := pool.Sign(t.Context(), sign, hsmpool.ECDSASHA256, make([]byte, 32))
			return err
		},
		"C_DeriveKey": func() error { _, err := pool.Agree(t.Context(), agree, spki); return err },
		"C_Decrypt": func() error {
			_, err := pool.DecryptOAEP(t.Context(), decrypt, hsmpool.OAEPSHA256, ciphertext)
			return err
		},
	} {
		before := pool.Describe()[0].Restarts
		fault.put(t, faultp11.Delay(function, time.Minute).Times(1))
		done := make(chan error, 1)
		go func() { done <- do() }()
		eventually(t, function+" is called", func() bool { return fault.Seen(function) > 0 })
		kill(t, pool, syscall.SIGKILL)
		if err := <-done; err != nil {
			t.Errorf("%s: %v", function, err)
		}
		if got := pool.Describe()[0].Restarts - before; got != 1 {
			t.Errorf("%s: %d restarts", function, got)
		}
		fault.clear(t, function)
	}
}
