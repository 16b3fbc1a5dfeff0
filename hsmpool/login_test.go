package hsmpool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestWhyALoginFailed tells the causes apart without a look at words, and that none is
// found out by more than one login.
func TestWhyALoginFailed(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	h.tokenWithoutPIN(t, "no user")
	fault := h.disturb(t)
	for _, test := range []struct {
		name     string
		prepare  func(c *hsmpool.Config)
		class    hsmpool.Class
		function string
		rv       ckr.RV
		is       error
		logins   int
	}{
		{"wrong PIN", func(c *hsmpool.Config) { c.PIN.Secret = []byte("wrong-pin") },
			hsmpool.Operator, "C_Login", ckr.PINIncorrect, nil, 1},
		{"the right PIN and a line end", func(c *hsmpool.Config) { c.PIN.Secret = []byte(userPIN + "\n") },
			hsmpool.Operator, "C_Login", ckr.PINIncorrect, nil, 1},
		{"locked user", func(*hsmpool.Config) { fault.put(t, faultp11.Fail("C_Login", ckr.PINLocked).Times(1)) },
			hsmpool.Operator, "C_Login", ckr.PINLocked, nil, 1},
		{"no user", func(c *hsmpool.Config) { c.Token.Label = "no user" },
			hsmpool.Unavailable, "C_Login", ckr.UserPINNotInitialized, nil, 1},
		{"no user, another library", func(c *hsmpool.Config) { c.Token.Label, c.Profile = "no user", "pkcs11" },
			hsmpool.Operator, "C_Login", ckr.UserPINNotInitialized, nil, 1},
		{"no token of the label", func(c *hsmpool.Config) { c.Token.Label = "nobody" },
			hsmpool.Unavailable, "", ckr.TokenNotPresent, hsmpool.ErrNoToken, 0},
		{"no token of both label and serial number", func(c *hsmpool.Config) { c.Token.Label = "nobody"; c.Token.Serial = h.serial(t) },
			hsmpool.Unavailable, "", ckr.TokenNotPresent, hsmpool.ErrNoToken, 0},
		{"no library", func(c *hsmpool.Config) { c.Library = "/nonexistent/pkcs11.so" },
			hsmpool.Unavailable, "", ckr.OK, nil, 0},
		{"a start that hangs", func(c *hsmpool.Config) {
			c.StartTimeout = 500 * time.Millisecond
			fault.put(t, faultp11.Delay("C_Initialize", time.Minute).Times(1))
		}, hsmpool.Unavailable, "", ckr.OK, context.DeadlineExceeded, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := h.journal.len()
			config := h.config
			config.PIN = hsmpool.PINSource{Secret: []byte(userPIN)}
			test.prepare(&config)
			_, err := hsmpool.Open(t.Context(), config)
			e := hsmError(t, err, test.class)
			if e.Function != test.function || e.RV != uint32(test.rv) {
				t.Errorf("%s and %v, want %s and %v", e.Function, ckr.RV(e.RV), test.function, test.rv)
			}
			for _, sentinel := range []error{hsmpool.ErrNoToken, context.DeadlineExceeded} {
				if want := errors.Is(test.is, sentinel); errors.Is(err, sentinel) != want {
					t.Errorf("it is %q: %v, want %v", sentinel, !want, want)
				}
			}
			if got := count(h.journal.since(before), "C_Login"); got != test.logins {
				t.Errorf("%d logins, want %d", got, test.logins)
			}
		})
	}
}

// tokenWithoutPIN makes a token beside the one of newHSM whose user was never made.
func (h *hsm) tokenWithoutPIN(t *testing.T, label string) {
	t.Helper()
	if out, err := h.tool("--init-token", "--slot-index", "1", "--label", label, "--so-pin", soPIN).CombinedOutput(); err != nil {
		t.Fatalf("making a token: %v\n%s", err, out)
	}
}

// serial is the serial number of the token of newHSM.
func (h *hsm) serial(t *testing.T) string {
	t.Helper()
	out, err := h.tool("--list-token-slots").CombinedOutput()
	if err != nil {
		t.Fatalf("listing the tokens: %v\n%s", err, out)
	}
	_, rest, _ := strings.Cut(string(out), "serial num         : ")
	serial, _, ok := strings.Cut(rest, "\n")
	if !ok {
		t.Fatalf("no serial number in\n%s", out)
	}
	return serial
}

// TestSecretPIN has a pool log in by a PIN that it was given, with each worker, although
// the one who gave it has wiped his; Close wipes the pool's.
func TestSecretPIN(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	secret := []byte(userPIN)
	pool := h.open(t, func(c *hsmpool.Config) { c.PIN = hsmpool.PINSource{Secret: secret} })
	clear(secret)
	id := generate(t, pool)
	kill(t, pool, syscall.SIGKILL)
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal by the second worker: %v", err)
	}
	kept := pool.Secret()
	if string(kept) != userPIN {
		t.Fatal("the pool has no PIN to wipe")
	}
	closePool(t, pool)
	if len(bytes.Trim(kept, "\x00")) != 0 {
		t.Error("a closed pool has the PIN")
	}
}

// TestSecretPINIsNowhere looks for a PIN in the log, in errors and records, and in what
// other programs see of the worker.
func TestSecretPINIsNowhere(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	var log lockedBuffer
	h.config.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &log})
	secret := func(pin string) func(*hsmpool.Config) {
		return func(c *hsmpool.Config) { c.PIN = hsmpool.PINSource{Secret: []byte(pin)} }
	}
	pool := h.open(t, secret(userPIN))
	h.config.Token.Serial = pool.Describe()[0].Token.Serial
	places := visibleWorker(t, pool)
	const wrong = "not-this-pin-0042"
	config := h.config
	secret(wrong)(&config)
	_, err := hsmpool.Open(t.Context(), config)
	wantClass(t, err, hsmpool.Operator)
	places["an error"] = err.Error()
	kill(t, pool, syscall.SIGKILL)
	h.journal.await(t, "third login", func(entries []audit.HSMCommand) bool { return count(entries, "C_Login") == 4 })
	closePool(t, pool)
	places["the log"] = log.String()
	places["the records"] = fmt.Sprintf("%+v", h.journal.since(0))
	places["the state"] = fmt.Sprintf("%+v", pool.Describe())
	for place, content := range places {
		for _, pin := range []string{userPIN, wrong} {
			if numbers := fmt.Sprintf("%d", []byte(pin)); strings.Contains(content, pin) || strings.Contains(content, numbers) {
				t.Errorf("%s has the PIN %s:\n%s", place, pin, content)
			}
		}
	}
	if !strings.Contains(places["the log"], "worker lost") || !strings.Contains(places["cmdline"], "hsm-worker") {
		t.Errorf("what is searched lacks what it should show: %q", places)
	}
}

// visibleWorker is what other programs see of the worker: all but root only its arguments.
func visibleWorker(t *testing.T, pool *hsmpool.Pool) map[string]string {
	t.Helper()
	places := map[string]string{}
	for _, file := range []string{"cmdline", "environ"} {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pool.Describe()[0].WorkerPID, file))
		switch {
		case errors.Is(err, os.ErrPermission):
		case err != nil || len(content) == 0:
			t.Fatalf("the worker's %s: %q, %v", file, content, err)
		default:
			places[file] = string(content)
		}
	}
	return places
}

// lockedBuffer is a log that is read while it may still be written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
