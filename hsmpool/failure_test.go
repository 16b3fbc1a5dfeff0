package hsmpool_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestAlteredCiphertextIsTheCallersFault also shows that the session survives it.
func TestAlteredCiphertextIsTheCallersFault(t *testing.T) {
	t.Parallel()
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
			e := hsmError(t, err, hsmpool.Caller)
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
	twins := h.tool("--init-token", "--slot-index", "2", "--label", "twin", "--so-pin", soPIN)
	for range 2 {
		if out, err := twins.CombinedOutput(); err != nil {
			t.Fatalf("making a twin: %v\n%s", err, out)
		}
		twins = h.tool("--init-token", "--slot-index", "3", "--label", "twin", "--so-pin", soPIN)
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
			"two tokens of one label", func(c *hsmpool.Config) { c.Token.Label = "twin" },
			hsmpool.Unavailable, "want exactly one", []string{"Boot", "C_Initialize", "C_Finalize"},
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
			e := hsmError(t, err, test.class)
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
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	id := generate(t, pool)
	h.write(t, "pin", "another-pin")
	kill(t, pool, syscall.SIGKILL)
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	e := hsmError(t, err, hsmpool.Operator)
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

// TestVanishedTokenComesBack takes the token directory away: every handle is stale
// then, even when it is back, so the worker must be replaced.
func TestVanishedTokenComesBack(t *testing.T) {
	t.Parallel()
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
	eventually(t, "the pool is healthy again", func() bool { return pool.Health() == nil })
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal after the token has come back: %v", err)
	}
}

// TestKeyDestroyedBehindOurBack uses another program on the same token.
func TestKeyDestroyedBehindOurBack(t *testing.T) {
	t.Parallel()
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

// TestAnotherTokenOfTheSameLabel takes the token's place: it is not given the PIN.
func TestAnotherTokenOfTheSameLabel(t *testing.T) {
	t.Parallel()
	h, other := newHSM(t), newHSM(t)
	pool := h.open(t)
	id := generate(t, pool)
	tokens, moved := filepath.Join(h.dir, "tokens"), filepath.Join(h.dir, "moved")
	if err := errors.Join(os.Rename(tokens, moved), os.Rename(filepath.Join(other.dir, "tokens"), tokens)); err != nil {
		t.Fatal(err)
	}
	before := h.journal.len()
	kill(t, pool, syscall.SIGKILL)
	h.journal.await(t, "second refused start", func(entries []audit.HSMCommand) bool { return count(entries[before:], "C_Finalize") == 2 })
	if got := count(h.journal.since(before), "C_Login"); got != 0 {
		t.Errorf("the PIN was given to another token %d times", got)
	}
	if err := errors.Join(os.Rename(tokens, filepath.Join(h.dir, "other")), os.Rename(moved, tokens)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pool is healthy again", func() bool { return pool.Health() == nil })
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal: %v", err)
	}
}

// TestFoundKeyIsTheOneAskedFor has the library find another key in place of one that the
// worker does not know yet: nothing is sealed under it, and the next worker does better.
func TestFoundKeyIsTheOneAskedFor(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	maker := h.open(t)
	generate(t, maker)
	pool := h.open(t)
	id := generate(t, maker)
	fault.put(t, faultp11.Alias())
	sealed, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	if _, err := maker.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, nil); err != nil {
		t.Errorf("it was sealed under another key: %v", err)
	}
	if got := pool.Describe()[0].Restarts; got != 1 {
		t.Errorf("%d restarts, want 1", got)
	}
}
