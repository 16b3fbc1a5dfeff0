package hsmpool_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// TestImportRefuses material that is not what was asked for: nothing of it is kept.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	w := newWrapper(t, pool)
	other := newWrapper(t, pool)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, rsa2048 := pkcs8(t, curve), pkcs8(t, rsaPair(t, 2048))
	const uniform = "cannot be unwrapped"
	for _, test := range []struct {
		name     string
		key      hsmpool.KeyType
		use      hsmpool.Use
		material []byte
		words    []string // for each of the four algorithms; "" where there is no room
	}{
		{"AES of 16 bytes", hsmpool.AES256, hsmpool.Encrypt, random(16), []string{"[32]", "[32]", "[32]", "[32]"}},
		{"AES of 33 bytes", hsmpool.AES256, hsmpool.Encrypt, random(33), []string{"[32]", "[32]", "[32]", "[32]"}},
		{"HMAC-224 of 29 bytes", hsmpool.HMAC224, hsmpool.MAC, random(29), []string{"[28]", "[28]", "[28]", "[28]"}},
		{"HMAC-224 with a zero more", hsmpool.HMAC224, hsmpool.MAC, append(random(28), 0), []string{"[28]", "[28]", "[28]", "[28]"}},
		{"HMAC-256 of 28 bytes", hsmpool.HMAC256, hsmpool.MAC, random(28), []string{"[32]", "[32]", "[32]", "[32]"}},
		{"HMAC-512 of 63 bytes", hsmpool.HMAC512, hsmpool.MAC, random(63), []string{"[64]", "[64]", "[64]", "[64]"}},
		{"HMAC-512 of 65 bytes", hsmpool.HMAC512, hsmpool.MAC, random(65), []string{"[64]", "[64]", "[64]", "[64]"}},
		{"RSA of 2048 bits as 3072", hsmpool.RSA3072, hsmpool.Sign, rsa2048, []string{"", "", "2048 bits", "2048 bits"}},
		{"RSA as P-256", hsmpool.P256, hsmpool.Sign, rsa2048, []string{"", "", "type RSA, not P-256", "type RSA, not P-256"}},
		{"P-256 as RSA", hsmpool.RSA2048, hsmpool.Sign, p256, []string{uniform, uniform, uniform, uniform}},
		{"P-256 as P-384", hsmpool.P384, hsmpool.Sign, p256, slices.Repeat([]string{"type P-256, not P-384"}, 4)},
		{"P-256 as Ed25519", hsmpool.Ed25519, hsmpool.Sign, p256, slices.Repeat([]string{"type P-256, not Ed25519"}, 4)},
		{"no PKCS #8", hsmpool.P256, hsmpool.Sign, random(64), slices.Repeat([]string{"no private key in PKCS #8"}, 4)},
		{"PKCS #8 and a byte", hsmpool.P256, hsmpool.Sign, append(slices.Clone(p256), 0), slices.Repeat([]string{"no private key in PKCS #8"}, 4)},
	} {
		for i, a := range wrapAlgorithms() {
			if test.words[i] == "" {
				continue
			}
			_, err := pool.Import(t.Context(), w.request(t, test.key, test.use, a, test.material))
			if e := hsmError(t, err, hsmpool.Caller); !strings.Contains(e.Error(), test.words[i]) {
				t.Errorf("%s by %s: %v does not say %q", test.name, a, err, test.words[i])
			}
		}
	}
	for i, a := range wrapAlgorithms() {
		good := w.request(t, hsmpool.AES256, hsmpool.Encrypt, a, random(32))
		for name, wrapped := range damaged(w, good.Wrapped) {
			r := good
			r.Wrapped = wrapped
			_, err := pool.Import(t.Context(), r)
			e := hsmError(t, err, hsmpool.Caller)
			if !strings.Contains(e.Error(), uniform) || e.Function != "C_UnwrapKey" || e.RV != uint32(ckr.WrappedKeyInvalid) {
				t.Errorf("%s by %s: %v", name, a, err)
			}
		}
		for what, edit := range map[string]func(*hsmpool.ImportRequest){
			"another key":       func(r *hsmpool.ImportRequest) { r.By = other.by },
			"another hash":      func(r *hsmpool.ImportRequest) { r.Algorithm = wrapAlgorithms()[i^1] },
			"another algorithm": func(r *hsmpool.ImportRequest) { r.Algorithm = wrapAlgorithms()[i^2] },
		} {
			r := good
			edit(&r)
			_, err := pool.Import(t.Context(), r)
			if e := hsmError(t, err, hsmpool.Caller); !strings.Contains(e.Error(), uniform) {
				t.Errorf("%s than %s: %v", what, a, err)
			}
		}
	}
	if got := list(t, pool); len(got) != 2 || pool.Describe()[0].Restarts != 0 {
		t.Errorf("in the token %q, %d restarts; want the two keys that unwrap", got, pool.Describe()[0].Restarts)
	}
}

// damaged is wrapped material that nobody could unwrap.
func damaged(w wrapper, good []byte) map[string][]byte {
	first, last := slices.Clone(good), slices.Clone(good)
	first[20] ^= 1
	last[len(last)-1] ^= 1
	return map[string][]byte{
		"empty": nil, "a byte": {1}, "short": good[:len(good)-1], "long": append(slices.Clone(good), 0), "eight bytes more": append(slices.Clone(good), make([]byte, 8)...),
		"altered at the beginning": first, "altered at the end": last,
		"past the modulus": slices.Concat(w.key.N.Bytes(), good[256:]), "zeros": make([]byte, len(good)),
	}
}

// TestImportOfWhatWasExpected: only the material of a fingerprint.
func TestImportOfWhatWasExpected(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	w := newWrapper(t, pool)
	secret := random(32)
	var name []byte
	for _, a := range wrapAlgorithms() {
		r := w.request(t, hsmpool.AES256, hsmpool.Encrypt, a, secret)
		r.Expect = name
		imported, err := pool.Import(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		name = imported.Fingerprint
		before := list(t, pool)
		r = w.request(t, hsmpool.AES256, hsmpool.Encrypt, a, random(32))
		r.Expect = name
		_, err = pool.Import(t.Context(), r)
		wantClass(t, err, hsmpool.Mismatch)
		if diff := cmp.Diff(before, list(t, pool)); diff != "" {
			t.Errorf("%s: a mismatch is kept (-want +got):\n%s", a, diff)
		}
	}
}
