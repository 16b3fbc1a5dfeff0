package hsmpool_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// generateKey makes a key of a type and returns its SubjectPublicKeyInfo, if it has one.
func generateKey(tb testing.TB, pool *hsmpool.Pool, t hsmpool.KeyType, use hsmpool.Use) (hsmpool.ObjectID, []byte) {
	tb.Helper()
	id := newID()
	made, err := pool.Generate(tb.Context(), hsmpool.GenerateRequest{ID: id, Label: "arn:test:" + id.String(), Type: t, Use: use})
	if err != nil {
		tb.Fatalf("generating a key %s to %s: %v", t, use, err)
	}
	return id, made.PublicKey
}

// parse returns the public key of SubjectPublicKeyInfo.
func parse[K any](tb testing.TB, spki []byte) K {
	tb.Helper()
	parsed, err := x509.ParsePKIXPublicKey(spki)
	key, ok := parsed.(K)
	if err != nil || !ok {
		tb.Fatalf("the public key is a %T, %v", parsed, err)
	}
	return key
}

func digest(hash crypto.Hash, message []byte) []byte {
	if hash == 0 {
		return message
	}
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}

// hashOf is what a signature's input is the digest by.
func hashOf(a hsmpool.Algorithm) crypto.Hash {
	switch {
	case a == hsmpool.EdDSA:
		return 0
	case strings.HasSuffix(string(a), "384"):
		return crypto.SHA384
	case strings.HasSuffix(string(a), "512"):
		return crypto.SHA512
	}
	return crypto.SHA256
}

// verify verifies a signature with Go's packages, or with openssl on secp256k1.
func verify(tb testing.TB, t hsmpool.KeyType, a hsmpool.Algorithm, spki, message, signature []byte) error {
	tb.Helper()
	hash := hashOf(a)
	if t == hsmpool.Secp256k1 {
		return opensslVerify(tb, spki, message, signature)
	}
	switch key := parse[any](tb, spki).(type) {
	case *rsa.PublicKey:
		if strings.HasPrefix(string(a), "RSA-PSS") {
			return rsa.VerifyPSS(key, hash, digest(hash, message), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.VerifyPKCS1v15(key, hash, digest(hash, message), signature)
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(key, digest(hash, message), signature) {
			return fmt.Errorf("no signature by %v", key.Curve.Params().Name)
		}
		return nil
	case ed25519.PublicKey:
		return ed25519.VerifyWithOptions(key, message, signature, &ed25519.Options{})
	}
	return fmt.Errorf("a key of type %s", t)
}

func opensslVerify(tb testing.TB, spki, message, signature []byte) error {
	tb.Helper()
	h := hsm{dir: tb.TempDir()}
	key := h.write(tb, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})))
	out, err := exec.Command("openssl", "dgst", "-sha256", "-verify", key,
		"-signature", h.write(tb, "signature", string(signature)), h.write(tb, "message", string(message))).CombinedOutput()
	if err != nil {
		return fmt.Errorf("openssl: %w: %s", err, out)
	}
	return nil
}

// TestSign has Go's packages, or openssl, verify what the token signed.
func TestSign(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	rsaAlgorithms := []hsmpool.Algorithm{
		hsmpool.PKCS1SHA256, hsmpool.PKCS1SHA384, hsmpool.PKCS1SHA512, hsmpool.PSSSHA256, hsmpool.PSSSHA384, hsmpool.PSSSHA512,
	}
	ecdsaAlgorithms := []hsmpool.Algorithm{hsmpool.ECDSASHA256, hsmpool.ECDSASHA384, hsmpool.ECDSASHA512}
	for _, test := range []struct {
		key        hsmpool.KeyType
		algorithms []hsmpool.Algorithm
		size       int // of the signature; 0 for the DER of ECDSA
	}{
		{hsmpool.RSA2048, rsaAlgorithms, 256},
		{hsmpool.RSA3072, rsaAlgorithms, 384},
		{hsmpool.RSA4096, rsaAlgorithms, 512},
		{hsmpool.P256, ecdsaAlgorithms, 0},
		{hsmpool.P384, ecdsaAlgorithms, 0},
		{hsmpool.P521, ecdsaAlgorithms, 0},
		{hsmpool.Secp256k1, ecdsaAlgorithms[:1], 0},
		{hsmpool.Ed25519, []hsmpool.Algorithm{hsmpool.EdDSA}, 64},
	} {
		id, spki := generateKey(t, pool, test.key, hsmpool.Sign)
		for _, a := range test.algorithms {
			message := []byte("message of " + test.key.String())
			signed, err := pool.Sign(t.Context(), id, a, digest(hashOf(a), message))
			if err != nil {
				t.Errorf("%s %s: %v", test.key, a, err)
				continue
			}
			if test.size != 0 && len(signed.Signature) != test.size {
				t.Errorf("%s %s: a signature of %d bytes, want %d", test.key, a, len(signed.Signature), test.size)
			}
			if signed.Trace.Function != "C_Sign" || signed.Trace.RV != 0 || signed.Trace.HSM == "" {
				t.Errorf("%s %s: trace %+v", test.key, a, signed.Trace)
			}
			if err := verify(t, test.key, a, spki, message, signed.Signature); err != nil {
				t.Errorf("%s %s: %v", test.key, a, err)
			}
			if verify(t, test.key, a, spki, []byte("another message"), signed.Signature) == nil {
				t.Errorf("%s %s: the signature is one of another message too", test.key, a)
			}
		}
	}
}

// TestSignRefuses what is no digest, algorithm or key for it. The worker lives on.
func TestSignRefuses(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	id, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Sign)
	secret, _ := generateKey(t, pool, hsmpool.HMAC256, hsmpool.MAC)
	agreeing, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Agree)
	for _, test := range []struct {
		name      string
		id        hsmpool.ObjectID
		algorithm hsmpool.Algorithm
		size      int
		class     hsmpool.Class
	}{
		{"a digest that is too short", id, hsmpool.ECDSASHA256, 31, hsmpool.Internal},
		{"a digest that is too long", id, hsmpool.ECDSASHA256, 33, hsmpool.Internal},
		{"nothing", id, hsmpool.ECDSASHA256, 0, hsmpool.Internal},
		{"no algorithm that signs", id, hsmpool.OAEPSHA256, 32, hsmpool.Internal},
		{"an algorithm of another key type", id, hsmpool.PKCS1SHA256, 32, hsmpool.Internal},
		{"a MAC by a private key", id, hsmpool.HMACSHA256, 32, hsmpool.Internal},
		{"a signature by a secret", secret, hsmpool.ECDSASHA256, 32, hsmpool.Internal},
		{"a key that only agrees", agreeing, hsmpool.ECDSASHA256, 32, hsmpool.Internal},
		{"a key that is not there", newID(), hsmpool.ECDSASHA256, 32, hsmpool.ObjectMissing},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := pool.Sign(t.Context(), test.id, test.algorithm, make([]byte, test.size))
			wantClass(t, err, test.class)
		})
	}
	if _, err := pool.Sign(t.Context(), id, hsmpool.ECDSASHA256, make([]byte, 32)); err != nil {
		t.Errorf("the next signature: %v", err)
	}
	if got := pool.Describe()[0].Restarts; got != 0 {
		t.Errorf("%d restarts", got)
	}
}

// TestMAC uses secrets that never left the token. The worker's tests compare with Go's HMAC.
func TestMAC(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	for _, test := range []struct {
		key       hsmpool.KeyType
		algorithm hsmpool.Algorithm
		size      int
	}{
		{hsmpool.HMAC224, hsmpool.HMACSHA224, 28},
		{hsmpool.HMAC256, hsmpool.HMACSHA256, 32},
		{hsmpool.HMAC384, hsmpool.HMACSHA384, 48},
		{hsmpool.HMAC512, hsmpool.HMACSHA512, 64},
	} {
		id, spki := generateKey(t, pool, test.key, hsmpool.MAC)
		other, _ := generateKey(t, pool, test.key, hsmpool.MAC)
		one, err := pool.MAC(t.Context(), id, test.algorithm, []byte("message"))
		again, err2 := pool.MAC(t.Context(), id, test.algorithm, []byte("message"))
		different, err3 := pool.MAC(t.Context(), other, test.algorithm, []byte("message"))
		if err != nil || err2 != nil || err3 != nil {
			t.Fatalf("%s: %v, %v, %v", test.key, err, err2, err3)
		}
		if len(one.MAC) != test.size || !bytes.Equal(one.MAC, again.MAC) || bytes.Equal(one.MAC, different.MAC) || spki != nil {
			t.Errorf("%s: %x, again %x, by another key %x", test.key, one.MAC, again.MAC, different.MAC)
		}
	}
}
