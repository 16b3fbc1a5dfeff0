package hsmpool_test

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestSelfTestIsMadeOnce: not for AES keys, not by each of those who wait for it, and not
// again by the next worker.
func TestSelfTestIsMadeOnce(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	aes := generate(t, pool)
	before := h.journal.len()
	if _, err := pool.Seal(t.Context(), aes, []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	if entries := h.journal.since(before); len(entries) != 0 {
		t.Errorf("a worker that serves AES keys tests itself: %q", lines(entries))
	}
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() {
			if all, err := pool.Capabilities(t.Context()); err != nil || len(all) == 0 {
				t.Errorf("%d capabilities, %v", len(all), err)
			}
		})
	}
	waiting.Wait()
	kill(t, pool, syscall.SIGKILL)
	if _, err := pool.Capabilities(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := pool.Seal(t.Context(), aes, []byte("x"), nil); err != nil { // of the next worker
		t.Fatal(err)
	}
	generateKey(t, pool, hsmpool.Ed25519, hsmpool.Sign)
	// RSA-2048, three NIST curves, secp256k1 and Ed25519, and the key just made.
	if got := count(h.journal.since(before), "C_GenerateKeyPair"); got != 6+1 {
		t.Errorf("C_GenerateKeyPair was called %d times", got)
	}
	entries := filter(h.journal.since(before), func(e audit.HSMCommand) bool { return e.RV == 0 })
	made := 2 * count(entries, "C_GenerateKeyPair")
	for _, function := range []string{"C_GenerateKey", "C_DeriveKey", "C_UnwrapKey", "C_CreateObject"} {
		made += count(entries, function)
	}
	if gone := count(entries, "C_DestroyObject"); gone != made-1 {
		t.Errorf("of %d objects made %d were destroyed, want all but one private key", made, gone)
	}
	if objects := list(t, pool); len(objects) != 2 {
		t.Errorf("in the token: %q", objects)
	}
}

// TestSelfTestOutlastsAFault: one that fails for a moment's reason says nothing of the token.
func TestSelfTestOutlastsAFault(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	for _, rv := range []ckr.RV{ckr.GeneralError, ckr.DeviceError} {
		fault.put(t, faultp11.Fail("C_Sign", rv).Times(1))
		all, err := pool.Capabilities(t.Context())
		if err != nil {
			t.Fatalf("%v: %v", rv, err)
		}
		for _, c := range all {
			if c.Missing != "" && c.Type != hsmpool.Ed25519 {
				t.Errorf("%v: %+v", rv, c)
			}
		}
		closePool(t, pool)
		pool = h.open(t)
	}
	fault.put(t, faultp11.Fail("C_Sign", ckr.DeviceError))
	_, err := pool.Capabilities(t.Context())
	wantClass(t, err, hsmpool.Unavailable)
	fault.clear(t, "C_Sign")
	eventually(t, "the worker was replaced twice", func() bool { return pool.Describe()[0].Restarts == 2 && pool.Health() == nil })
	if _, err := pool.Capabilities(t.Context()); err != nil {
		t.Errorf("a self-test that failed is not made again: %v", err)
	}
}

// TestSelfTestDoesNotKeepOthersWaiting has it hang at RSA: sealing goes on, also within a
// hang timeout that is far shorter.
func TestSelfTestDoesNotKeepOthersWaiting(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.HangTimeout = 200 * time.Millisecond })
	id := generate(t, pool)
	fault.put(t, faultp11.Delay("C_GenerateKeyPair", time.Second).Times(1))
	done := make(chan error, 1)
	go func() {
		_, err := pool.Capabilities(t.Context())
		done <- err
	}()
	eventually(t, "C_GenerateKeyPair is called", func() bool { return fault.Seen("C_GenerateKeyPair") > 0 })
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal: %v", err)
	}
	select {
	case err := <-done:
		t.Errorf("the self-test did not wait: %v", err)
	default:
	}
	if err := <-done; err != nil {
		t.Errorf("Capabilities: %v", err)
	}
	if got := pool.Describe()[0].Restarts; got != 0 {
		t.Errorf("%d restarts: a slow generation is no hang", got)
	}
}

// TestGenericProfile uses a token of which nothing special is known.
func TestGenericProfile(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.Profile = "pkcs11" })
	id := generate(t, pool)
	sealed, err := pool.Seal(t.Context(), id, []byte("plaintext"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, nil); err != nil || string(opened.Plaintext) != "plaintext" {
		t.Errorf("opened %q, %v", opened.Plaintext, err)
	}
	_, err = pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, []byte("other"))
	wantClass(t, err, hsmpool.Caller)
	useEverything(t, pool)
	if s := pool.Describe()[0]; s.Restarts != 0 || s.Profile != "pkcs11" || s.Sessions != 8+1+4 {
		t.Errorf("%d restarts, profile %q, %d sessions", s.Restarts, s.Profile, s.Sessions)
	}
}
