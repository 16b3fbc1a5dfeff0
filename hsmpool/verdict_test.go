package hsmpool_test

import (
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestBadCiphertextWithAVagueCode has a library say no more of a bad ciphertext than
// that something failed: the canary tells that the worker is sound.
func TestBadCiphertextWithAVagueCode(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t, cloudhsm)
	id := generate(t, pool)
	sealed, err := pool.Seal(t.Context(), id, []byte("plaintext"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, rv := range []ckr.RV{ckr.GeneralError, ckr.DataInvalid, ckr.DataLenRange, ckr.ArgumentsBad} {
		fault.put(t, faultp11.Fail("C_Decrypt", rv).OnlyFailures())
		_, err := pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, []byte("other"))
		wantClass(t, err, hsmpool.Caller)
	}
	if s := pool.Describe()[0]; s.Restarts != 0 {
		t.Errorf("%d restarts for a caller's faults", s.Restarts)
	}
}

// TestPassingFaultIsNotTheCallers fails one C_Decrypt of a good ciphertext.
func TestPassingFaultIsNotTheCallers(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id := generate(t, pool)
	sealed, err := pool.Seal(t.Context(), id, []byte("plaintext"), nil)
	if err != nil {
		t.Fatal(err)
	}
	fault.put(t, faultp11.Fail("C_Decrypt", ckr.GeneralError).Kept().Times(1))
	opened, err := pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, nil)
	if err != nil || string(opened.Plaintext) != "plaintext" {
		t.Errorf("opened %q, %v", opened.Plaintext, err)
	}
	if fault.Seen("C_Decrypt") != 3 {
		t.Errorf("%d calls of C_Decrypt, want the failed one, the canary and another", fault.Seen("C_Decrypt"))
	}
}

// TestImpossibleLength has the library claim to have written more than there is room for.
func TestImpossibleLength(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id := generate(t, pool)
	sealed, err := pool.Seal(t.Context(), id, []byte("plaintext"), nil)
	if err != nil {
		t.Fatal(err)
	}
	fault.put(t, faultp11.Length())
	_, err = pool.Seal(t.Context(), id, []byte("plaintext"), nil)
	wantClass(t, err, hsmpool.Internal)
	_, err = pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, nil)
	wantClass(t, err, hsmpool.Internal)
	if s := pool.Describe()[0]; s.Restarts != 0 {
		t.Errorf("%d restarts: did the worker crash?", s.Restarts)
	}
}

// TestDeadDeviceIsLeftAlone: once a code says that the device is dead, nothing more is
// asked of it.
func TestDeadDeviceIsLeftAlone(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id := generate(t, pool)
	fault.put(t, faultp11.Watch("C_CloseSession"))
	fault.put(t, faultp11.Fail("C_EncryptInit", ckr.DeviceError).Times(1))
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal over a dead device: %v", err)
	}
	if calls := fault.Seen("C_CloseSession"); calls != 0 {
		t.Errorf("%d sessions were closed on a dead device", calls)
	}
}

// TestHandleRefusedAgain: a key that is found and whose handle is refused is not missing.
func TestHandleRefusedAgain(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id := generate(t, pool)
	fault.put(t, faultp11.Fail("C_EncryptInit", ckr.KeyHandleInvalid))
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Unavailable)
}
