package hsmpool_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestGeneratePair signs with what was handed out, by Go's packages or openssl, and
// verifies with the public key.
func TestGeneratePair(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	for _, keyType := range []hsmpool.KeyType{hsmpool.RSA2048, hsmpool.P256, hsmpool.P384, hsmpool.P521, hsmpool.Secp256k1} {
		pair, err := pool.GeneratePair(t.Context(), keyType)
		if err != nil {
			t.Fatalf("%s: %v", keyType, err)
		}
		a := hsmpool.ECDSASHA256
		if keyType == hsmpool.RSA2048 {
			a = hsmpool.PKCS1SHA256
		}
		message := []byte("message")
		if err := verify(t, keyType, a, pair.PublicKey, message, opensslSign(t, pair.PrivateKey, message)); err != nil {
			t.Errorf("%s, signed by openssl: %v", keyType, err)
		}
		if keyType == hsmpool.Secp256k1 {
			continue
		}
		private, err := x509.ParsePKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			t.Errorf("%s: %v", keyType, err)
			continue
		}
		signature, err := private.(crypto.Signer).Sign(rand.Reader, digest(crypto.SHA256, message), crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(t, keyType, a, pair.PublicKey, message, signature); err != nil {
			t.Errorf("%s: %v", keyType, err)
		}
	}
	if objects := list(t, pool); len(objects) != 0 {
		t.Errorf("the token keeps %q", objects)
	}
}

// opensslSign signs by SHA-256 with a private key, PKCS #8.
func opensslSign(tb testing.TB, private, message []byte) []byte {
	tb.Helper()
	h := hsm{dir: tb.TempDir()}
	key := h.write(tb, "key.der", string(private))
	out, err := exec.Command("openssl", "dgst", "-sha256", "-keyform", "DER", "-sign", key, h.write(tb, "message", string(message))).Output()
	if err != nil {
		tb.Fatalf("openssl: %v", err)
	}
	return out
}

// TestPairLeavesEntriesAndNothingElse follows what is done for a pair.
func TestPairLeavesEntriesAndNothingElse(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	if _, err := pool.Capabilities(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := h.journal.len()
	if _, err := pool.GeneratePair(hsmpool.WithRequestID(t.Context(), "request-1"), hsmpool.P256); err != nil {
		t.Fatal(err)
	}
	entries := h.journal.since(before)
	want := []string{"C_GenerateKeyPair", "C_GenerateKey", "C_WrapKey", "C_DestroyObject", "C_DestroyObject", "C_DestroyObject"}
	if diff := cmp.Diff(want, lines(entries)); diff != "" {
		t.Fatalf("HSM entries (-want +got):\n%s", diff)
	}
	made := map[uint64]bool{entries[0].PrivateHandle: true, entries[0].PublicHandle: true, entries[1].PrivateHandle: true}
	for _, e := range entries {
		if e.TokenObject || e.RequestID != "request-1" || e.Session == 0 || !made[e.PrivateHandle] {
			t.Errorf("entry %+v", e)
		}
	}
	if len(made) != 3 || made[0] {
		t.Errorf("the handles made are %v", made)
	}
}

// TestFailedPair has a step fail: nothing is left, the pair is made again, and if it fails
// again somebody hears of it.
func TestFailedPair(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	if _, err := pool.Capabilities(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, function := range []string{"C_GenerateKeyPair", "C_GenerateKey", "C_WrapKey", "C_GetAttributeValue", "C_DestroyObject"} {
		fault.put(t, faultp11.Fail(function, ckr.GeneralError).Times(1))
		if _, err := pool.GeneratePair(t.Context(), hsmpool.P256); err != nil {
			t.Errorf("%s failed once: %v", function, err)
		}
		if fault.Seen(function) < 2 {
			t.Errorf("%s was called %d times", function, fault.Seen(function))
		}
		fault.clear(t, function)
	}
	if got := pool.Describe()[0].Restarts; got != 0 {
		t.Errorf("%d restarts", got)
	}
	fault.put(t, faultp11.Fail("C_WrapKey", ckr.KeyNotWrappable))
	_, err := pool.GeneratePair(t.Context(), hsmpool.P256)
	if e := hsmError(t, err, hsmpool.Unsupported); e.Function != "C_WrapKey" || e.RV != uint32(ckr.KeyNotWrappable) {
		t.Errorf("got %v", err)
	}
	fault.put(t, faultp11.Fail("C_WrapKey", ckr.GeneralError))
	_, err = pool.GeneratePair(t.Context(), hsmpool.P256)
	wantClass(t, err, hsmpool.Unavailable)
}

// TestPairsBesideEverything makes pairs, keys and secrets at a time, so that announcements
// of several sessions mix: the records of each are whole.
func TestPairsBesideEverything(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.Sessions = 16 }) // and two makers
	agreeing, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Agree)
	_, theirs := peer(t, ecdh.P256())
	before := h.journal.len()
	const clients, rounds = 3, 8
	var running sync.WaitGroup
	for what, do := range map[string]func() error{
		"pair":  func() error { _, err := pool.GeneratePair(t.Context(), hsmpool.P256); return err },
		"agree": func() error { _, err := pool.Agree(t.Context(), agreeing, theirs); return err },
		"generate": func() error {
			_, err := pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: newID(), Label: "key", Type: hsmpool.P256, Use: hsmpool.Sign})
			return err
		},
		"seal": func() error { _, _, err := pool.Random(t.Context(), 16); return err },
	} {
		for range clients {
			running.Go(func() {
				for range rounds {
					if err := do(); err != nil {
						t.Errorf("%s: %v", what, err)
					}
				}
			})
		}
	}
	running.Wait()
	entries := h.journal.since(before)
	const n = clients * rounds
	got := map[string]int{}
	for _, e := range entries {
		got[e.Function]++
		if e.NoReply || e.RV != 0 || e.PrivateHandle == 0 {
			t.Errorf("entry %+v", e)
		}
	}
	want := map[string]int{"C_GenerateKeyPair": 2 * n, "C_GenerateKey": n, "C_WrapKey": n, "C_DeriveKey": n, "C_DestroyObject": 3*n + n + n}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("HSM entries (-want +got):\n%s", diff)
	}
}

// TestPairOfALostWorker kills the worker in the middle of a pair: it is made again by the
// next one, and the call that had no reply is on record.
func TestPairOfALostWorker(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	if _, err := pool.Capabilities(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := h.journal.len()
	fault.put(t, faultp11.Delay("C_WrapKey", time.Minute).Times(1))
	done := make(chan error, 1)
	go func() {
		_, err := pool.GeneratePair(t.Context(), hsmpool.P256)
		done <- err
	}()
	eventually(t, "C_WrapKey is called", func() bool { return fault.Seen("C_WrapKey") > 0 })
	kill(t, pool, syscall.SIGKILL)
	if err := <-done; err != nil {
		t.Errorf("GeneratePair: %v", err)
	}
	entries := h.journal.since(before)
	lost := func(e audit.HSMCommand) bool { return e.Function == "C_WrapKey" && e.NoReply }
	if n := len(filter(entries, lost)); n != 1 || count(entries, "C_WrapKey") != 2 {
		t.Errorf("entries %q", lines(entries))
	}
}

func filter(entries []audit.HSMCommand, keep func(audit.HSMCommand) bool) (kept []audit.HSMCommand) {
	for _, e := range entries {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

// TestUnrecordedSecretsAreNotAnswered breaks the journal: what leaves entries fails, and
// what leaves none goes on.
func TestUnrecordedSecretsAreNotAnswered(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	agreeing, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Agree)
	signing, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Sign)
	_, theirs := peer(t, ecdh.P256())
	h.journal.breakdown(errors.New("disk full"))
	pair := func() ([]byte, error) {
		pair, err := pool.GeneratePair(t.Context(), hsmpool.P256)
		return pair.PrivateKey, err
	}
	agree := func() ([]byte, error) {
		got, err := pool.Agree(t.Context(), agreeing, theirs)
		return got.Secret, err
	}
	for range 2 { // the first leaves an entry that cannot be written
		for _, do := range []func() ([]byte, error){pair, agree} {
			secret, err := do()
			if wantClass(t, err, hsmpool.Unavailable); secret != nil {
				t.Error("a secret was answered")
			}
		}
	}
	if _, err := pool.Sign(t.Context(), signing, hsmpool.ECDSASHA256, make([]byte, 32)); err != nil {
		t.Errorf("Sign, which leaves no entry: %v", err)
	}
	h.journal.breakdown(nil)
	if _, err := agree(); err != nil {
		t.Errorf("Agree once the journal is well: %v", err)
	}
}
