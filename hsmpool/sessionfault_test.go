package hsmpool_test

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestNoOperationIsLeftActive has the end of an operation fail in the library of faults, so
// that the token's session still has the operation active. The next request never meets it.
func TestNoOperationIsLeftActive(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.Profile, c.Sessions = "pkcs11", 1 })
	id := generate(t, pool)
	sealed, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		function string
		rv       ckr.RV
	}{
		{"C_Encrypt", ckr.GeneralError},
		{"C_Encrypt", ckr.MechanismInvalid},
		{"C_Encrypt", ckr.DataLenRange},
		{"C_Decrypt", ckr.GeneralError},
		{"C_Decrypt", ckr.EncryptedDataInvalid},
		{"C_Decrypt", 0x80000001},
	} {
		fault.put(t, faultp11.Fail(test.function, test.rv).Times(1))
		_, _ = pool.Seal(t.Context(), id, []byte("x"), nil) // one of the two meets the fault
		_, _ = pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, nil)
		if fault.Hits(test.function) != 1 {
			t.Fatalf("%s: %d faults", test.function, fault.Hits(test.function))
		}
		if _, err := pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, nil); err != nil {
			t.Errorf("%s %s: the next request: %v", test.function, test.rv, err)
		}
	}
	if s := pool.Describe()[0]; s.Restarts != 0 {
		t.Errorf("%d restarts", s.Restarts)
	}
}

// TestIVOfTheToken: whatever a token does with the IV that it is given, what was sealed
// opens, or nothing is answered.
func TestIVOfTheToken(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault faultp11.Fault
		opens bool
	}{
		{"its own, told by C_EncryptInit", faultp11.OwnIV(), true},
		{"its own, told by C_Encrypt", faultp11.LateIV(), true},
		{"its own, never told", faultp11.LostIV(), false},
	} {
		for _, profile := range []string{"softhsm", "cloudhsm", "pkcs11"} {
			t.Run(profile+": "+test.name, func(t *testing.T) {
				t.Parallel()
				h := newHSM(t)
				fault := h.disturb(t)
				pool := h.open(t, func(c *hsmpool.Config) { c.Profile, c.Sessions = profile, 1 })
				id := generate(t, pool)
				fault.put(t, test.fault)
				kill(t, pool, syscall.SIGKILL) // the next worker has to find out
				sealed, err := pool.Seal(t.Context(), id, []byte("x"), nil)
				if !test.opens {
					wantClass(t, err, hsmpool.Internal)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				opened, err := pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, nil)
				if err != nil || string(opened.Plaintext) != "x" {
					t.Errorf("%q, %v", opened.Plaintext, err)
				}
			})
		}
	}
}

// TestHandlesOfTheNextWorker are other ones for the same keys, and the same ones for others.
func TestHandlesOfTheNextWorker(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	h.disturb(t).put(t, faultp11.ReuseHandles())
	pool := h.open(t)
	ids := []hsmpool.ObjectID{generate(t, pool), generate(t, pool), generate(t, pool)}
	plaintext := func(id hsmpool.ObjectID) []byte { return bytes.Clone(id[:]) }
	sealed := map[hsmpool.ObjectID]hsmpool.Sealed{}
	for round := range 3 {
		for _, id := range ids {
			if old, ok := sealed[id]; ok {
				opened, err := pool.Open(t.Context(), id, old.IV[:], old.Ciphertext, nil)
				if err != nil || !bytes.Equal(opened.Plaintext, plaintext(id)) {
					t.Errorf("round %d: %v", round, err)
				}
			}
			var err error
			if sealed[id], err = pool.Seal(t.Context(), id, plaintext(id), nil); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		}
		if _, err := pool.Destroy(t.Context(), ids[0]); err != nil {
			t.Fatal(err)
		}
		ids = append(ids[1:], generate(t, pool))
		kill(t, pool, syscall.SIGKILL)
	}
}
