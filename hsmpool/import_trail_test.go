package hsmpool_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestWhatPassesTheWorker watches C_CreateObject: it sees an imported key, or the AES key
// that wrapped it, only where the token cannot unwrap.
func TestWhatPassesTheWorker(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	w := newWrapper(t, pool)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key      hsmpool.KeyType
		use      hsmpool.Use
		material []byte
		created  map[hsmpool.Algorithm]int // a copy of the session, and the key
	}{
		{hsmpool.AES256, hsmpool.Encrypt, random(32), map[hsmpool.Algorithm]int{
			hsmpool.WrapOAEPSHA1: 0, hsmpool.WrapOAEPSHA256: 2, hsmpool.WrapRSAAESSHA1: 0, hsmpool.WrapRSAAESSHA256: 2,
		}},
		{hsmpool.HMAC512, hsmpool.MAC, random(64), map[hsmpool.Algorithm]int{
			hsmpool.WrapOAEPSHA1: 0, hsmpool.WrapOAEPSHA256: 2, hsmpool.WrapRSAAESSHA1: 0, hsmpool.WrapRSAAESSHA256: 2,
		}},
		{hsmpool.RSA2048, hsmpool.Sign, pkcs8(t, rsaPair(t, 2048)), map[hsmpool.Algorithm]int{
			hsmpool.WrapRSAAESSHA1: 0, hsmpool.WrapRSAAESSHA256: 2,
		}},
		{hsmpool.P256, hsmpool.Sign, pkcs8(t, curve), map[hsmpool.Algorithm]int{
			hsmpool.WrapOAEPSHA1: 2, hsmpool.WrapRSAAESSHA1: 2, hsmpool.WrapRSAAESSHA256: 2,
		}},
	} {
		for a, want := range test.created {
			fault.put(t, faultp11.Watch("C_CreateObject"))
			if _, err := pool.Import(t.Context(), w.request(t, test.key, test.use, a, test.material)); err != nil {
				t.Errorf("%s by %s: %v", test.key, a, err)
			}
			if got := fault.Seen("C_CreateObject"); got != want {
				t.Errorf("%s by %s: C_CreateObject was called %d times, want %d", test.key, a, got, want)
			}
		}
	}
}

// TestKeyMaterialStaysOutOfTheWorker in the other profiles: what the token cannot unwrap is
// refused, and the mechanism named.
func TestKeyMaterialStaysOutOfTheWorker(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	fault.put(t, faultp11.Watch("C_CreateObject"))
	pool := h.open(t, func(c *hsmpool.Config) { c.Profile = "pkcs11" })
	w := newWrapper(t, pool)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key      hsmpool.KeyType
		use      hsmpool.Use
		a        hsmpool.Algorithm
		material []byte
		refused  string
	}{
		{hsmpool.AES256, hsmpool.Encrypt, hsmpool.WrapOAEPSHA1, random(32), ""},
		{hsmpool.AES256, hsmpool.Encrypt, hsmpool.WrapRSAAESSHA1, random(32), ""},
		{hsmpool.RSA2048, hsmpool.Sign, hsmpool.WrapRSAAESSHA1, pkcs8(t, rsaPair(t, 2048)), ""},
		{hsmpool.AES256, hsmpool.Encrypt, hsmpool.WrapOAEPSHA256, random(32), "CKM_RSA_PKCS_OAEP with SHA-256"},
		{hsmpool.AES256, hsmpool.Encrypt, hsmpool.WrapRSAAESSHA256, random(32), "CKM_RSA_PKCS_OAEP with SHA-256"},
		{hsmpool.P256, hsmpool.Sign, hsmpool.WrapRSAAESSHA1, pkcs8(t, curve), "CKM_AES_KEY_WRAP_PAD"},
	} {
		before := len(list(t, pool))
		_, err := pool.Import(t.Context(), w.request(t, test.key, test.use, test.a, test.material))
		if test.refused == "" {
			if err != nil {
				t.Errorf("%s by %s: %v", test.key, test.a, err)
			}
			continue
		}
		if e := hsmError(t, err, hsmpool.Unsupported); !strings.Contains(e.Error(), test.refused) {
			t.Errorf("%s by %s: %v does not name %s", test.key, test.a, err, test.refused)
		}
		if after := len(list(t, pool)); after != before {
			t.Errorf("%s by %s: %d keys, then %d", test.key, test.a, before, after)
		}
	}
	if n := fault.Seen("C_CreateObject"); n != 0 {
		t.Errorf("C_CreateObject was called %d times", n)
	}
}

// TestUnwrappingIsTold: capabilities say which ways go through the worker's memory.
func TestUnwrappingIsTold(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	means := func(profile string) map[hsmpool.Algorithm]string {
		pool := h.open(t, func(c *hsmpool.Config) { c.Profile = profile })
		all, err := pool.Capabilities(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[hsmpool.Algorithm]string{}
		for _, c := range all {
			if c.Type == hsmpool.RSA4096 && c.Use == hsmpool.Unwrap {
				got[c.Algorithm] = c.Mechanism + " " + c.Means + c.Missing
			}
		}
		return got
	}
	const missing = "CKM_RSA_PKCS_OAEP: the token does not unwrap by CKM_RSA_PKCS_OAEP with SHA-256, and the profile pkcs11 keeps key material out of the worker's memory"
	for profile, want := range map[string]map[hsmpool.Algorithm]string{
		"softhsm": {
			hsmpool.WrapOAEPSHA1: "CKM_RSA_PKCS_OAEP token", hsmpool.WrapOAEPSHA256: "CKM_RSA_PKCS_OAEP worker memory",
			hsmpool.WrapRSAAESSHA1: "CKM_AES_KEY_WRAP_PAD token", hsmpool.WrapRSAAESSHA256: "CKM_AES_KEY_WRAP_PAD worker memory",
		},
		"pkcs11": {
			hsmpool.WrapOAEPSHA1: "CKM_RSA_PKCS_OAEP token", hsmpool.WrapOAEPSHA256: "CKM_RSA_PKCS_OAEP " + missing,
			hsmpool.WrapRSAAESSHA1: "CKM_AES_KEY_WRAP_PAD token", hsmpool.WrapRSAAESSHA256: "CKM_AES_KEY_WRAP_PAD " + strings.Replace(missing, "CKM_RSA_PKCS_OAEP:", "CKM_AES_KEY_WRAP_PAD:", 1),
		},
	} {
		if diff := cmp.Diff(want, means(profile)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", profile, diff)
		}
	}
}

// TestImportLeavesEntries of the copy that is tried and of the key, which the next worker
// finds.
func TestImportLeavesEntries(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	w := newWrapper(t, pool)
	before := h.journal.len()
	ctx := hsmpool.WithRequestID(t.Context(), "request-1")
	r := w.request(t, hsmpool.AES256, hsmpool.Encrypt, hsmpool.WrapRSAAESSHA1, random(32))
	imported, err := pool.Import(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if imported.Trace.Function != "C_UnwrapKey" || imported.Trace.RV != 0 {
		t.Errorf("trace %+v", imported.Trace)
	}
	entries := h.journal.since(before)
	want := []string{
		"C_UnwrapKey", "C_UnwrapKey", "C_DestroyObject", "C_DestroyObject", // the AES key, a copy
		"C_UnwrapKey", "C_UnwrapKey", "C_DestroyObject", // the AES key, the key
	}
	if diff := cmp.Diff(want, lines(entries)); diff != "" {
		t.Fatalf("HSM entries (-want +got):\n%s", diff)
	}
	kept := filter(entries, func(e audit.HSMCommand) bool { return e.TokenObject })
	if len(kept) != 1 || kept[0].KeyID != r.ID.String() || kept[0].KeyLabel != r.Label || kept[0].PrivateHandle == 0 {
		t.Errorf("entries of objects of the token: %+v", kept)
	}
	for _, e := range entries {
		if e.RequestID != "request-1" {
			t.Errorf("entry without its request: %+v", e)
		}
	}
	closePool(t, pool)
	pool = h.open(t)
	if _, err := pool.Seal(ctx, r.ID, []byte("x"), nil); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	_, err = pool.Import(ctx, r)
	wantClass(t, err, hsmpool.Internal) // the id is taken
}

// TestFailedImportLeavesNothing has a token make the key and say that it failed, or fail at
// what comes after; and it is not the caller's fault.
func TestFailedImportLeavesNothing(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	w := newWrapper(t, pool)
	for _, test := range []struct {
		function string
		a        hsmpool.Algorithm
		pass     int // calls of the rehearsal
	}{
		{"C_UnwrapKey", hsmpool.WrapOAEPSHA1, 1},
		{"C_CreateObject", hsmpool.WrapOAEPSHA256, 1},
		{"C_GetAttributeValue", hsmpool.WrapOAEPSHA1, 2},
	} {
		fault.put(t, faultp11.Fail(test.function, ckr.GeneralError).Kept().After(test.pass).Times(1))
		r := w.request(t, hsmpool.AES256, hsmpool.Encrypt, test.a, random(32))
		_, err := pool.Import(t.Context(), r)
		wantClass(t, err, hsmpool.Unavailable)
		if got := fault.Seen(test.function); got <= test.pass {
			t.Errorf("%s was called %d times", test.function, got)
		}
		fault.clear(t, test.function)
		eventually(t, "the orphan is gone", func() bool { return len(list(t, pool)) == 1 })
	}
}

// TestPassingFaultOfAnImport fails the unwrapping of good material once: the canary tells
// that it is worth trying again.
func TestPassingFaultOfAnImport(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	w := newWrapper(t, pool)
	fault.put(t, faultp11.Fail("C_UnwrapKey", ckr.GeneralError).Times(1))
	r := w.request(t, hsmpool.AES256, hsmpool.Encrypt, hsmpool.WrapOAEPSHA1, random(32))
	if _, err := pool.Import(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := fault.Seen("C_UnwrapKey"); got != 4 {
		t.Errorf("%d calls of C_UnwrapKey, want the failed one, the canary, another and the key", got)
	}
	fault.put(t, faultp11.Fail("C_UnwrapKey", ckr.GeneralError))
	_, err := pool.Import(t.Context(), w.request(t, hsmpool.AES256, hsmpool.Encrypt, hsmpool.WrapOAEPSHA1, random(32)))
	wantClass(t, err, hsmpool.Unavailable)
}

// TestLostImport kills the worker when the key is made: it is not imported once more, and
// what there may be of it is destroyed.
func TestLostImport(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	w := newWrapper(t, pool)
	r := w.request(t, hsmpool.AES256, hsmpool.Encrypt, hsmpool.WrapOAEPSHA1, random(32))
	fault.put(t, faultp11.Delay("C_UnwrapKey", 10*time.Second).After(1).Times(1))
	done := make(chan error, 1)
	go func() {
		_, err := pool.Import(context.WithoutCancel(t.Context()), r)
		done <- err
	}()
	eventually(t, "the key is being made", func() bool { return fault.Seen("C_UnwrapKey") == 2 })
	kill(t, pool, syscall.SIGKILL)
	wantClass(t, <-done, hsmpool.Unavailable)
	fault.clear(t, "C_UnwrapKey")
	_, err := pool.Import(t.Context(), r)
	wantClass(t, err, hsmpool.Internal) // the id may have a key
	eventually(t, "the token has but the key that unwraps", func() bool { return len(list(t, pool)) == 1 })
}
