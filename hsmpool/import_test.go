package hsmpool_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// wrapper wraps key material for a token, as its owner would.
type wrapper struct {
	by  hsmpool.ObjectID
	key *rsa.PublicKey
}

func newWrapper(tb testing.TB, pool *hsmpool.Pool) wrapper {
	tb.Helper()
	id, spki := generateKey(tb, pool, hsmpool.RSA2048, hsmpool.Unwrap)
	return wrapper{by: id, key: parse[*rsa.PublicKey](tb, spki)}
}

func wrapAlgorithms() []hsmpool.Algorithm {
	return []hsmpool.Algorithm{hsmpool.WrapOAEPSHA1, hsmpool.WrapOAEPSHA256, hsmpool.WrapRSAAESSHA1, hsmpool.WrapRSAAESSHA256}
}

// twice tells whether an algorithm wraps by an AES key.
func twice(a hsmpool.Algorithm) bool { return strings.HasPrefix(string(a), "WRAP-RSA-AES") }

// wrap wraps material by an algorithm.
func (w wrapper) wrap(tb testing.TB, a hsmpool.Algorithm, material []byte) []byte {
	tb.Helper()
	hash := crypto.SHA256
	if strings.HasSuffix(string(a), "SHA-1") {
		hash = crypto.SHA1
	}
	if !twice(a) {
		return encrypt(tb, w.key, hash, material)
	}
	key := random(32)
	return slices.Concat(encrypt(tb, w.key, hash, key), opensslWrap(tb, key, material))
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// opensslWrap is AES key wrap with padding, by somebody else's code.
func opensslWrap(tb testing.TB, key, material []byte) []byte {
	tb.Helper()
	cmd := exec.Command("openssl", "enc", "-id-aes256-wrap-pad", "-iv", "a65959a6", "-K", hex.EncodeToString(key))
	cmd.Stdin = bytes.NewReader(material)
	wrapped, err := cmd.Output()
	if err != nil {
		tb.Fatalf("openssl enc: %v", err)
	}
	return wrapped
}

// request asks for an import of material that is wrapped by w.
func (w wrapper) request(tb testing.TB, k hsmpool.KeyType, use hsmpool.Use, a hsmpool.Algorithm, material []byte) hsmpool.ImportRequest {
	tb.Helper()
	id := newID()
	return hsmpool.ImportRequest{
		ID: id, Label: "arn:test:" + id.String(), Type: k, Use: use, By: w.by, Algorithm: a, Wrapped: w.wrap(tb, a, material),
	}
}

// TestImportSecrets brings secrets by every algorithm, and uses them here and in the token.
func TestImportSecrets(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	w := newWrapper(t, pool)
	names := map[string]bool{}
	for _, test := range []struct {
		key    hsmpool.KeyType
		use    hsmpool.Use
		length int
		works  func(testing.TB, *hsmpool.Pool, hsmpool.ObjectID, []byte)
	}{
		{hsmpool.AES256, hsmpool.Encrypt, 32, opensHere},
		{hsmpool.HMAC224, hsmpool.MAC, 28, macsBy(hsmpool.HMACSHA224, crypto.SHA224)},
		{hsmpool.HMAC256, hsmpool.MAC, 32, macsBy(hsmpool.HMACSHA256, crypto.SHA256)},
		{hsmpool.HMAC384, hsmpool.MAC, 48, macsBy(hsmpool.HMACSHA384, crypto.SHA384)},
		{hsmpool.HMAC512, hsmpool.MAC, 64, macsBy(hsmpool.HMACSHA512, crypto.SHA512)},
	} {
		secret := random(test.length)
		var first hsmpool.Imported
		for _, a := range wrapAlgorithms() {
			r := w.request(t, test.key, test.use, a, secret)
			imported, err := pool.Import(t.Context(), r)
			if err != nil {
				t.Fatalf("%s by %s: %v", test.key, a, err)
			}
			if first.Fingerprint == nil {
				first = imported
			}
			if !bytes.Equal(imported.Fingerprint, first.Fingerprint) || len(imported.Fingerprint) != 32 || imported.PublicKey != nil {
				t.Errorf("%s by %s: %+v, the first %+v", test.key, a, imported, first)
			}
			test.works(t, pool, r.ID, secret)
			access := h.described(t, r.ID)
			if diff := cmp.Diff("Access:     sensitive", access[len(access)-1]); diff != "" {
				t.Errorf("%s by %s (-want +got):\n%s", test.key, a, diff)
			}
		}
		names[string(first.Fingerprint)] = true
	}
	if len(names) != 5 {
		t.Errorf("%d fingerprints of five secrets", len(names))
	}
}

// opensHere opens with the secret what the token has sealed with it.
func opensHere(tb testing.TB, pool *hsmpool.Pool, id hsmpool.ObjectID, secret []byte) {
	tb.Helper()
	sealed, err := pool.Seal(tb.Context(), id, []byte("plaintext"), []byte("aad"))
	if err != nil {
		tb.Fatal(err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		tb.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		tb.Fatal(err)
	}
	if plain, err := gcm.Open(nil, sealed.IV[:], sealed.Ciphertext, []byte("aad")); err != nil || string(plain) != "plaintext" {
		tb.Errorf("opened %q, %v", plain, err)
	}
}

func macsBy(a hsmpool.Algorithm, hash crypto.Hash) func(testing.TB, *hsmpool.Pool, hsmpool.ObjectID, []byte) {
	return func(tb testing.TB, pool *hsmpool.Pool, id hsmpool.ObjectID, secret []byte) {
		tb.Helper()
		got, err := pool.MAC(tb.Context(), id, a, []byte("message"))
		if err != nil {
			tb.Fatal(err)
		}
		want := hmac.New(hash.New, secret)
		want.Write([]byte("message"))
		if !bytes.Equal(got.MAC, want.Sum(nil)) {
			tb.Errorf("%s: MAC %x", a, got.MAC)
		}
	}
}

// brought is a private key that is imported.
type brought struct {
	key    hsmpool.KeyType
	use    hsmpool.Use
	pkcs8  []byte
	public []byte // SubjectPublicKeyInfo
}

// pairsToBring makes a pair of every type.
func pairsToBring(tb testing.TB) []brought {
	tb.Helper()
	var all []brought
	add := func(k hsmpool.KeyType, use hsmpool.Use, private crypto.Signer) {
		all = append(all, brought{k, use, pkcs8(tb, private), spkiOf(tb, private.Public())})
	}
	short, long := rsaPair(tb, 2048), rsaPair(tb, 3072)
	add(hsmpool.RSA2048, hsmpool.Sign, short)
	add(hsmpool.RSA2048, hsmpool.Encrypt, short)
	add(hsmpool.RSA3072, hsmpool.Sign, long)
	for k, curve := range nistCurves() {
		private, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			tb.Fatal(err)
		}
		add(k, hsmpool.Sign, private)
		add(k, hsmpool.Agree, private)
	}
	_, edwards, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	add(hsmpool.Ed25519, hsmpool.Sign, edwards)
	private := openssl(tb, nil, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1", "-outform", "DER")
	return append(all, brought{
		hsmpool.Secp256k1, hsmpool.Sign, openssl(tb, private, "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER"),
		openssl(tb, private, "pkey", "-inform", "DER", "-pubout", "-outform", "DER"),
	})
}

func nistCurves() map[hsmpool.KeyType]elliptic.Curve {
	return map[hsmpool.KeyType]elliptic.Curve{hsmpool.P256: elliptic.P256(), hsmpool.P384: elliptic.P384(), hsmpool.P521: elliptic.P521()}
}

func rsaPair(tb testing.TB, bits int) *rsa.PrivateKey {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func pkcs8(tb testing.TB, private any) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func openssl(tb testing.TB, in []byte, args ...string) []byte {
	tb.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("openssl %q: %v", args, err)
	}
	return out
}

// TestImportPairs brings private keys of every type by every algorithm that has room for
// them, and uses them in the token.
func TestImportPairs(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	w := newWrapper(t, pool)
	for _, b := range pairsToBring(t) {
		for _, a := range wrapAlgorithms() {
			if !twice(a) && len(b.pkcs8) > 256-2*32-2 {
				continue // longer than RSA-OAEP can wrap
			}
			r := w.request(t, b.key, b.use, a, b.pkcs8)
			imported, err := pool.Import(t.Context(), r)
			if err != nil {
				t.Errorf("%s to %s by %s: %v", b.key, b.use, a, err)
				continue
			}
			name := sha256.Sum256(b.public)
			if !bytes.Equal(imported.PublicKey, b.public) || !bytes.Equal(imported.Fingerprint, name[:]) {
				t.Errorf("%s by %s: public key %x, want %x", b.key, a, imported.PublicKey, b.public)
			}
			b.works(t, pool, r.ID)
		}
	}
	if out := h.pkcs11Tool(t, "--list-objects"); strings.Contains(out, "Public Key") || strings.Count(out, "local") != 1 {
		t.Errorf("in the token, where only the key that unwraps was made:\n%s", out)
	}
}

// works uses an imported key in the token against its public key here.
func (b brought) works(tb testing.TB, pool *hsmpool.Pool, id hsmpool.ObjectID) {
	tb.Helper()
	switch b.use {
	case hsmpool.Encrypt:
		ciphertext := encrypt(tb, parse[*rsa.PublicKey](tb, b.public), crypto.SHA256, []byte("message"))
		if opened, err := pool.DecryptOAEP(tb.Context(), id, hsmpool.OAEPSHA256, ciphertext); err != nil || string(opened.Plaintext) != "message" {
			tb.Errorf("%s: decrypted %q, %v", b.key, opened.Plaintext, err)
		}
	case hsmpool.Agree:
		curve := map[hsmpool.KeyType]ecdh.Curve{hsmpool.P256: ecdh.P256(), hsmpool.P384: ecdh.P384(), hsmpool.P521: ecdh.P521()}[b.key]
		ours, spki := peer(tb, curve)
		secret, err := pool.Agree(tb.Context(), id, spki)
		if err != nil || !bytes.Equal(secret.Secret, agreed(tb, ours, b.public)) {
			tb.Errorf("%s: %v, or another secret", b.key, err)
		}
	default:
		a := map[hsmpool.KeyType]hsmpool.Algorithm{
			hsmpool.RSA2048: hsmpool.PSSSHA256, hsmpool.RSA3072: hsmpool.PKCS1SHA512, hsmpool.P256: hsmpool.ECDSASHA256, hsmpool.P384: hsmpool.ECDSASHA384,
			hsmpool.P521: hsmpool.ECDSASHA512, hsmpool.Secp256k1: hsmpool.ECDSASHA256, hsmpool.Ed25519: hsmpool.EdDSA,
		}[b.key]
		message := []byte("message")
		signed, err := pool.Sign(tb.Context(), id, a, digest(hashOf(a), message))
		if err != nil {
			tb.Fatalf("%s: %v", b.key, err)
		}
		if err := verify(tb, b.key, a, b.public, message, signed.Signature); err != nil {
			tb.Errorf("%s: %v", b.key, err)
		}
	}
}
