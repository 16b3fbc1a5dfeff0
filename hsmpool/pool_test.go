package hsmpool_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// TestLifeOfAKey makes, uses and destroys a key, and compares the HSM entries with
// the management calls that this takes.
func TestLifeOfAKey(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	ctx := hsmpool.WithRequestID(t.Context(), "request-1")
	id := newID()
	if _, err := pool.Generate(ctx, hsmpool.GenerateRequest{ID: id, Label: "label-1", Type: hsmpool.AES256, Use: hsmpool.Encrypt}); err != nil {
		t.Fatalf("Generate: %v", err)
	}
	sealed, err := pool.Seal(ctx, id, []byte("attack at dawn"), []byte("context"))
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	opened, err := pool.Open(ctx, id, sealed.IV[:], sealed.Ciphertext, []byte("context"))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if string(opened.Plaintext) != "attack at dawn" {
		t.Errorf("opened %q", opened.Plaintext)
	}
	if _, err := pool.Destroy(ctx, id); err != nil {
		t.Fatalf("Destroy: %v", err)
	}
	_, err = pool.Seal(ctx, id, []byte("x"), nil)
	wantClass(t, err, hsmpool.ObjectMissing)
	closePool(t, pool)

	want := []string{
		"Boot", "C_Initialize", "C_InitToken", "C_Login", "C_InitPIN", "C_Logout", "C_Finalize",
		"Boot", "C_Initialize", "C_Login", "C_GenerateKey", "C_DestroyObject", "C_Logout", "C_Finalize",
	}
	entries := h.journal.since(0)
	if diff := cmp.Diff(want, lines(entries)); diff != "" {
		t.Errorf("HSM entries (-want +got):\n%s", diff)
	}
	for _, e := range entries {
		if e.Function == "C_GenerateKey" || e.Function == "C_DestroyObject" {
			if e.KeyLabel != "label-1" || e.KeyID != id.String() || e.RequestID != "request-1" || e.PrivateHandle == 0 || !e.TokenObject {
				t.Errorf("entry without its details: %+v", e)
			}
		}
	}
}

func TestSealRoundTrips(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	id := generate(t, pool)
	for _, test := range []struct {
		name           string
		plaintext, aad []byte
	}{
		{"nothing", nil, nil},
		{"a byte without AAD", []byte{1}, nil},
		{"no plaintext with AAD", nil, []byte("aad")},
		{"the API's limit", bytes.Repeat([]byte{7}, 4096), bytes.Repeat([]byte("k"), 8192)},
		{"more than the scratch memory", bytes.Repeat([]byte{7}, 16000), []byte("aad")},
	} {
		t.Run(test.name, func(t *testing.T) {
			sealed, err := pool.Seal(t.Context(), id, test.plaintext, test.aad)
			if err != nil {
				t.Fatalf("Seal: %v", err)
			}
			if got, want := len(sealed.Ciphertext), len(test.plaintext)+16; got != want {
				t.Errorf("ciphertext of %d bytes, want %d", got, want)
			}
			opened, err := pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, test.aad)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			if !bytes.Equal(opened.Plaintext, test.plaintext) {
				t.Error("another plaintext came back")
			}
		})
	}
}

// TestKeyNeverLeavesTheToken looks at a key with another program.
func TestKeyNeverLeavesTheToken(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	id := generate(t, h.open(t))
	out := h.pkcs11Tool(t, "--list-objects", "--type", "secrkey")
	for _, want := range []string{"AES length 32", "label:      arn:test:" + id.String(), "ID:         " + id.String(),
		"Usage:      encrypt, decrypt\n", "Access:     sensitive, always sensitive, never extractable, local"} {
		if !strings.Contains(out, want) {
			t.Errorf("pkcs11-tool does not print %q:\n%s", want, out)
		}
	}
	read := h.tool(append(login(), "--read-object", "--type", "secrkey", "--id", id.String())...)
	if out, err := read.CombinedOutput(); err == nil {
		t.Errorf("pkcs11-tool read the key:\n%s", out)
	}
}

// pkcs11Tool runs OpenSC's tool on the token, logged in.
func (h *hsm) pkcs11Tool(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := h.tool(append(login(), args...)...).CombinedOutput()
	if err != nil {
		tb.Fatalf("pkcs11-tool %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func login() []string {
	return []string{"--token-label", "strongroom", "--login", "--pin", userPIN}
}

func (h *hsm) tool(args ...string) *exec.Cmd {
	cmd := exec.Command("pkcs11-tool", append([]string{"--module", softHSM}, args...)...)
	cmd.Env = append(os.Environ(), h.config.Env...)
	return cmd
}

// TestManySessions has several executors share keys, good requests and bad ones.
func TestManySessions(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t, func(c *hsmpool.Config) { c.Sessions = 4 })
	ids := []hsmpool.ObjectID{generate(t, pool), generate(t, pool)}
	var clients sync.WaitGroup
	for n := range 32 {
		clients.Go(func() {
			plaintext := bytes.Repeat([]byte{byte(n)}, n+1)
			for i := range 20 {
				sealed, err := pool.Seal(t.Context(), ids[n%2], plaintext, nil)
				if err != nil {
					t.Errorf("Seal: %v", err)
					return
				}
				opened, err := pool.Open(t.Context(), ids[(n+i)%2], sealed.IV[:], sealed.Ciphertext, nil)
				if right := i%2 == 0; right != (err == nil) || right && !bytes.Equal(opened.Plaintext, plaintext) {
					t.Errorf("Open under the right key %v: %v", right, err)
				}
			}
		})
	}
	clients.Wait()
	if s := pool.Describe()[0]; s.Restarts != 0 || s.Sessions != 4+1+4 {
		t.Errorf("%d restarts, %d sessions", s.Restarts, s.Sessions)
	}
}

func TestSealRandom(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	id := generate(t, pool)
	sealed, err := pool.SealRandom(t.Context(), id, 32, true, []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	if len(opened.Plaintext) != 32 || !bytes.Equal(opened.Plaintext, sealed.Plaintext) {
		t.Error("what was sealed is not what was answered")
	}
	secret, err := pool.SealRandom(t.Context(), id, 32, false, nil)
	if err != nil || secret.Plaintext != nil {
		t.Errorf("plaintext answered although it was not to be kept: %v", err)
	}
	if secret.IV == sealed.IV || secret.IV == [12]byte{} {
		t.Error("the IV is not drawn anew")
	}
}

func TestRandom(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	first, trace, err := pool.Random(t.Context(), 1024)
	if err != nil || len(first) != 1024 || trace.Function != "C_GenerateRandom" {
		t.Fatalf("Random: %d bytes, %+v, %v", len(first), trace, err)
	}
	second, _, err := pool.Random(t.Context(), 1024)
	if err != nil || bytes.Equal(first, second) {
		t.Errorf("Random twice the same: %v", err)
	}
	for _, n := range []int{-1, 0, 1 << 20} {
		_, _, err := pool.Random(t.Context(), n)
		wantClass(t, err, hsmpool.Internal)
	}
}

// TestPINSources logs in with a PIN from each kind of source.
func TestPINSources(t *testing.T) {
	h := newHSM(t)
	t.Setenv("STRONGROOM_TEST_PIN", userPIN)
	for _, test := range []struct {
		name   string
		source hsmpool.PINSource
		env    []string
	}{
		{"file", hsmpool.PINSource{File: h.pinFile}, nil},
		{"variable of this process", hsmpool.PINSource{Env: "STRONGROOM_TEST_PIN"}, nil},
		{"variable of the worker", hsmpool.PINSource{Env: "WORKER_PIN"}, []string{"WORKER_PIN=" + userPIN}},
		{"command", hsmpool.PINSource{Command: []string{"cat", h.pinFile}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			pool := h.open(t, func(c *hsmpool.Config) {
				c.PIN = test.source
				c.Env = append(test.env, c.Env...)
			})
			if err := pool.Health(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDescribe finds the same HSM by serial number, under the same name.
func TestDescribe(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	generate(t, pool)
	byLabel := pool.Describe()[0]
	closePool(t, pool)
	bySerial := h.open(t, func(c *hsmpool.Config) {
		c.Token = hsmpool.TokenSelector{Serial: byLabel.Token.Serial}
	}).Describe()[0]
	if bySerial.HSMID != byLabel.HSMID || bySerial.ClusterID != byLabel.ClusterID {
		t.Errorf("names %s and %s for one HSM", byLabel.HSMID, bySerial.HSMID)
	}
	if byLabel.Keys != 1 || bySerial.Keys != 1 || bySerial.State != hsmpool.Ready || bySerial.RebootCounter != 3 || bySerial.Sessions != 1+1+4 {
		t.Errorf("status %+v", bySerial)
	}
	if bySerial.Token.Label != "strongroom" || bySerial.Token.Manufacturer == "" || bySerial.Token.LibraryVersion == "" {
		t.Errorf("token %+v", bySerial.Token)
	}
}
