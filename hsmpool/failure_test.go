package hsmpool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
)

// TestAlteredCiphertextIsTheCallersFault also shows that the session survives it.
func TestAlteredCiphertextIsTheCallersFault(t *testing.T) {
	pool := newHSM(t).open(t)
	id, other := generate(t, pool), generate(t, pool)
	sealed, err := pool.Seal(t.Context(), id, []byte("plaintext"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	altered := func(at int) []byte {
		c := append([]byte(nil), sealed.Ciphertext...)
		c[at] ^= 1
		return c
	}
	for _, test := range []struct {
		name          string
		id            hsmpool.ObjectID
		iv            []byte
		ciphertext    []byte
		aad           string
		reachesTheHSM bool
	}{
		{"a bit of the ciphertext", id, sealed.IV[:], altered(0), "aad", true},
		{"a bit of the tag", id, sealed.IV[:], altered(len(sealed.Ciphertext) - 1), "aad", true},
		{"other AAD", id, sealed.IV[:], sealed.Ciphertext, "other", true},
		{"another key", other, sealed.IV[:], sealed.Ciphertext, "aad", true},
		{"another IV", id, make([]byte, 12), sealed.Ciphertext, "aad", true},
		{"only a tag", id, sealed.IV[:], sealed.Ciphertext[:16], "aad", true},
		{"less than a tag", id, sealed.IV[:], sealed.Ciphertext[:15], "aad", false},
		{"a short IV", id, sealed.IV[:11], sealed.Ciphertext, "aad", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := pool.Open(t.Context(), test.id, test.iv, test.ciphertext, []byte(test.aad))
			e := wantClass(t, err, hsmpool.Caller)
			if test.reachesTheHSM && (e.Function != "C_Decrypt" || e.RV == 0 || e.HSM == "") {
				t.Errorf("the error names no C_ function, code and HSM: %+v", e)
			}
		})
	}
	if s := pool.Describe()[0]; s.Restarts != 0 {
		t.Errorf("%d restarts for a caller's faults", s.Restarts)
	}
}

func TestOpenRefusesATokenItCannotUse(t *testing.T) {
	h := newHSM(t)
	second := h.initConfig()
	second.Label = "second"
	if err := hsmpool.InitToken(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		edit    func(*hsmpool.Config)
		class   hsmpool.Class
		says    string
		entries []string
	}{
		{
			"unknown label", func(c *hsmpool.Config) { c.Token.Label = "nobody" },
			hsmpool.Unavailable, "could not find PKCS#11 token", []string{"Boot", "C_Initialize", "C_Finalize"},
		},
		{
			"label and serial number of different tokens", func(c *hsmpool.Config) { c.Token.Serial = "0123" },
			hsmpool.Unavailable, "token", []string{"Boot", "C_Initialize", "C_Finalize"},
		},
		{
			"wrong PIN", func(c *hsmpool.Config) { c.PIN.File = h.write(t, "wrong-pin", "wrong-pin-1234") },
			hsmpool.Operator, "CKR_PIN_INCORRECT", []string{"Boot", "C_Initialize", "C_Login 0xa0", "C_Finalize"},
		},
		{
			"no PIN file", func(c *hsmpool.Config) { c.PIN.File = "/nonexistent/pin" },
			hsmpool.Unavailable, "/nonexistent/pin", nil,
		},
		{
			"no library", func(c *hsmpool.Config) { c.Library = "/nonexistent/pkcs11.so" },
			hsmpool.Unavailable, "/nonexistent/pkcs11.so", nil,
		},
		{
			"a library that does not initialise", func(c *hsmpool.Config) { c.Env = []string{"SOFTHSM2_CONF=/nonexistent.conf"} },
			hsmpool.Unavailable, "C_Initialize: CKR_GENERAL_ERROR", []string{"Boot", "C_Initialize 0x5"},
		},
		{
			"no worker", func(c *hsmpool.Config) { c.WorkerCommand = []string{"/nonexistent/worker"} },
			hsmpool.Unavailable, "/nonexistent/worker", nil,
		},
		{
			"a worker that is none", func(c *hsmpool.Config) { c.WorkerCommand = []string{"/bin/true"} },
			hsmpool.Unavailable, "worker was lost", nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := h.journal.len()
			config := h.config
			test.edit(&config)
			_, err := hsmpool.Open(t.Context(), config)
			e := wantClass(t, err, test.class)
			if !strings.Contains(e.Error(), test.says) {
				t.Errorf("the error does not say %q: %v", test.says, e)
			}
			if strings.Contains(e.Error(), "wrong-pin-1234") {
				t.Errorf("the error has the PIN: %v", e)
			}
			if diff := cmp.Diff(test.entries, lines(h.journal.since(before))); diff != "" {
				t.Errorf("HSM entries (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWrongPINIsNeverTriedTwice changes the PIN under a running worker and kills it.
func TestWrongPINIsNeverTriedTwice(t *testing.T) {
	h := newHSM(t)
	pool := h.open(t)
	id := generate(t, pool)
	h.write(t, "pin", "another-pin")
	kill(t, pool, syscall.SIGKILL)
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	e := wantClass(t, err, hsmpool.Operator)
	if e.Function != "C_Login" || e.Object != id || e.Hint == "" {
		t.Errorf("the error does not say what to do: %+v", e)
	}
	h.write(t, "pin", userPIN)
	for range 3 {
		_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
		wantClass(t, err, hsmpool.Operator)
	}
	if err := pool.Health(); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("Health: %v", err)
	}
	refused := 0
	for _, e := range h.journal.since(0) {
		if e.Function == "C_Login" && e.RV != 0 {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("the wrong PIN was tried %d times", refused)
	}
}

// kill signals the worker of the moment.
func kill(tb testing.TB, pool *hsmpool.Pool, signal syscall.Signal) int {
	tb.Helper()
	pid := pool.Describe()[0].WorkerPID
	if pid == 0 {
		tb.Fatal("there is no worker")
	}
	if err := syscall.Kill(pid, signal); err != nil {
		tb.Fatalf("kill %d: %v", pid, err)
	}
	return pid
}

// TestKilledWorkersGoUnnoticed kills workers again and again under 64 requests in flight.
func TestKilledWorkersGoUnnoticed(t *testing.T) {
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
		for sealed.Load() < int64(200*(n+1)) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
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
	h := newHSM(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.HangTimeout = 300 * time.Millisecond })
	kill(t, pool, syscall.SIGSTOP)
	h.journal.await(t, "second login", func(entries []audit.HSMCommand) bool { return count(entries, "C_Login") >= 3 })
}

// TestLostGeneration has C_GenerateKey hang until the worker is killed: the call's
// entry says that there was no reply, and whatever key it left is destroyed.
func TestLostGeneration(t *testing.T) {
	h := newHSM(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.HangTimeout = 300 * time.Millisecond })
	unlock := h.lockToken(t)
	id := newID()
	before := h.journal.len()
	_, err := pool.GenerateAES(t.Context(), hsmpool.GenerateRequest{ID: id, Label: "lost"})
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
	h := newHSM(t)
	pool := h.open(t)
	unlock := h.lockToken(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	id := newID()
	before := h.journal.len()
	_, err := pool.GenerateAES(ctx, hsmpool.GenerateRequest{ID: id, Label: "late"})
	wantClass(t, err, hsmpool.Timeout)
	_, err = pool.GenerateAES(t.Context(), hsmpool.GenerateRequest{ID: id, Label: "again"})
	wantClass(t, err, hsmpool.Internal)
	unlock()
	h.journal.await(t, "destruction", func(entries []audit.HSMCommand) bool { return count(entries, "C_DestroyObject") == 1 })
	if diff := cmp.Diff([]string{"C_GenerateKey", "C_DestroyObject"}, lines(h.journal.since(before))); diff != "" {
		t.Errorf("HSM entries (-want +got):\n%s", diff)
	}
}

// lockToken has every call that writes to the token wait: SoftHSM locks a file of the
// token around each change.
func (h *hsm) lockToken(tb testing.TB) (unlock func()) {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "tokens", "*", "generation"))
	if err != nil || len(files) != 1 {
		tb.Fatalf("the token's generation file: %v, %v", files, err)
	}
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	if err != nil {
		tb.Fatal(err)
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err != nil {
		tb.Fatalf("locking the token: %v", err)
	}
	return func() { _ = f.Close() } // which releases the lock
}

// TestVanishedTokenComesBack takes the token directory away: every handle is stale
// then, even when it is back, so the worker must be replaced.
func TestVanishedTokenComesBack(t *testing.T) {
	h := newHSM(t)
	pool := h.open(t)
	id := generate(t, pool)
	moved := filepath.Join(h.dir, "moved")
	if err := os.Rename(filepath.Join(h.dir, "tokens"), moved); err != nil {
		t.Fatal(err)
	}
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Unavailable)
	if err := os.Rename(moved, filepath.Join(h.dir, "tokens")); err != nil {
		t.Fatal(err)
	}
	h.journal.await(t, "third login", func(entries []audit.HSMCommand) bool { return count(entries, "C_Login") == 3 })
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal after the token has come back: %v", err)
	}
}

// TestKeyDestroyedBehindOurBack uses another program on the same token.
func TestKeyDestroyedBehindOurBack(t *testing.T) {
	h := newHSM(t)
	pool := h.open(t)
	id, kept := generate(t, pool), generate(t, pool)
	h.pkcs11Tool(t, "--delete-object", "--type", "secrkey", "--id", id.String())
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.ObjectMissing)
	if _, err := pool.Seal(t.Context(), kept, []byte("x"), nil); err != nil {
		t.Errorf("Seal under the other key: %v", err)
	}
	_, err = pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.ObjectMissing)
	if got := pool.Describe()[0].Restarts; got != 1 {
		t.Errorf("%d restarts, want 1 to make sure that the key is gone", got)
	}
}

// TestUnwrittenEntryIsNoSuccess breaks the journal under management requests.
func TestUnwrittenEntryIsNoSuccess(t *testing.T) {
	h := newHSM(t)
	pool := h.open(t)
	id := generate(t, pool)
	before := h.journal.len()
	full := errors.New("disk full")
	h.journal.breakdown(full)

	made := newID()
	_, err := pool.GenerateAES(t.Context(), hsmpool.GenerateRequest{ID: made, Label: "unrecorded"})
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
	pool := newHSM(t).open(t)
	id := generate(t, pool)
	_, err := pool.GenerateAES(t.Context(), hsmpool.GenerateRequest{ID: id, Label: "again"})
	wantClass(t, err, hsmpool.Internal)
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("the first key is gone: %v", err)
	}
}

func TestBusy(t *testing.T) {
	pool := newHSM(t).open(t, func(c *hsmpool.Config) { c.MaxInFlight = 4 })
	id := generate(t, pool)
	pid := kill(t, pool, syscall.SIGSTOP)
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() { _, _ = pool.Seal(ctx, id, []byte("x"), nil) })
	}
	for pool.Describe()[0].InFlight < 4 {
		time.Sleep(time.Millisecond)
	}
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Busy)
	cancel()
	clients.Wait()
	_, err = pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Busy) // the worker still has the four
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for pool.Describe()[0].InFlight > 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal when the worker goes on: %v", err)
	}
}

func TestClosedPoolRefuses(t *testing.T) {
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
