package publickey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// signed is a signature with what it is of and by.
type signed struct {
	spki              []byte
	algorithm         hsmpool.Algorithm
	input, signature  []byte
	otherAlgorithm    hsmpool.Algorithm // of the same key type, which did not make it
	otherAlgorithmErr bool              // it cannot even be one of the key
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func spkiOf(t *testing.T, public any) []byte {
	t.Helper()
	return must[[]byte](t)(x509.MarshalPKIXPublicKey(public))
}

// secp256k1SPKI writes what x509 cannot (SEC 1, C.3).
func secp256k1SPKI(t *testing.T, point []byte) []byte {
	t.Helper()
	curve := must[[]byte](t)(asn1.Marshal(asn1.ObjectIdentifier{1, 3, 132, 0, 10}))
	return must[[]byte](t)(asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, Parameters: asn1.RawValue{FullBytes: curve}},
		asn1.BitString{Bytes: point, BitLength: 8 * len(point)},
	}))
}

// signatures are some of every algorithm, made by Go.
func signatures(t *testing.T) map[string]signed {
	message := []byte("message")
	d256, d384, d512 := sha256.Sum256(message), sha512.Sum384(message), sha512.Sum512(message)
	rsaKey := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	pkcs := func(h crypto.Hash, d []byte) []byte { return must[[]byte](t)(rsa.SignPKCS1v15(nil, rsaKey, h, d)) }
	pss := func(h crypto.Hash, d []byte) []byte {
		return must[[]byte](t)(rsa.SignPSS(rand.Reader, rsaKey, h, d, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	}
	r := spkiOf(t, &rsaKey.PublicKey)
	p256 := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	secp := must[*secp256k1.PrivateKey](t)(secp256k1.GeneratePrivateKey())
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]signed{
		"PKCS #1 SHA-256": {r, hsmpool.PKCS1SHA256, d256[:], pkcs(crypto.SHA256, d256[:]), hsmpool.PSSSHA256, false},
		"PKCS #1 SHA-384": {r, hsmpool.PKCS1SHA384, d384[:], pkcs(crypto.SHA384, d384[:]), hsmpool.PKCS1SHA512, false},
		"PKCS #1 SHA-512": {r, hsmpool.PKCS1SHA512, d512[:], pkcs(crypto.SHA512, d512[:]), hsmpool.ECDSASHA512, true},
		"PSS SHA-256":     {r, hsmpool.PSSSHA256, d256[:], pss(crypto.SHA256, d256[:]), hsmpool.PKCS1SHA256, false},
		"PSS SHA-384":     {r, hsmpool.PSSSHA384, d384[:], pss(crypto.SHA384, d384[:]), hsmpool.PSSSHA512, false},
		"PSS SHA-512":     {r, hsmpool.PSSSHA512, d512[:], pss(crypto.SHA512, d512[:]), hsmpool.EdDSA, true},
		"ECDSA P-256": {spkiOf(t, &p256.PublicKey), hsmpool.ECDSASHA256, d256[:],
			must[[]byte](t)(ecdsa.SignASN1(rand.Reader, p256, d256[:])), "", false},
		"ECDSA secp256k1": {secp256k1SPKI(t, secp.PubKey().SerializeUncompressed()), hsmpool.ECDSASHA256, d256[:],
			secpecdsa.Sign(secp, d256[:]).Serialize(), "", false},
		"Ed25519": {spkiOf(t, ed.Public()), hsmpool.EdDSA, message, ed25519.Sign(ed, message), hsmpool.EdDSAph, false},
		"Ed25519ph": {spkiOf(t, ed.Public()), hsmpool.EdDSAph, d512[:],
			must[[]byte](t)(ed.Sign(nil, d512[:], &ed25519.Options{Hash: crypto.SHA512})), hsmpool.EdDSA, false},
	}
}

func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

func TestVerify(t *testing.T) {
	for name, s := range signatures(t) {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				what             string
				input, signature []byte
				want             bool
			}{
				{"as signed", s.input, s.signature, true},
				{"another message", flipped(s.input), s.signature, false},
				{"altered signature", s.input, flipped(s.signature), false},
				{"cut signature", s.input, s.signature[:len(s.signature)-1], false},
				{"no signature", s.input, nil, false},
			} {
				if got, err := Verify(s.spki, s.algorithm, c.input, c.signature); got != c.want || err != nil {
					t.Errorf("%s: %t, %v", c.what, got, err)
				}
			}
			if s.otherAlgorithm == "" {
				return
			}
			if got, err := Verify(s.spki, s.otherAlgorithm, s.input, s.signature); got || (err != nil) != s.otherAlgorithmErr {
				t.Errorf("as one by %s: %t, %v", s.otherAlgorithm, got, err)
			}
		})
	}
}

// TestOAEP encrypts at the longest plaintext and past it, and Go decrypts.
func TestOAEP(t *testing.T) {
	key := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	spki := spkiOf(t, &key.PublicKey)
	for h, want := range map[crypto.Hash]int{crypto.SHA1: 214, crypto.SHA256: 190} {
		longest, err := MaxOAEP(spki, h)
		if err != nil || longest != want {
			t.Errorf("MaxOAEP with %v = %d, %v; want %d", h, longest, err, want)
		}
		plaintext := bytes.Repeat([]byte("p"), want+1)
		ciphertext := must[[]byte](t)(EncryptOAEP(spki, h, plaintext[:want]))
		opened, err := rsa.DecryptOAEP(h.New(), nil, key, ciphertext, nil)
		if err != nil || !bytes.Equal(opened, plaintext[:want]) {
			t.Errorf("with %v: %v", h, err)
		}
		if _, err := EncryptOAEP(spki, h, plaintext); err == nil {
			t.Errorf("with %v: %d bytes were encrypted", h, len(plaintext))
		}
	}
}

// TestKeysThatCannotBeRead sees that each is refused by every function.
func TestKeysThatCannotBeRead(t *testing.T) {
	p256 := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	good := spkiOf(t, &p256.PublicKey)
	for name, spki := range map[string][]byte{
		"none": nil, "garbage": []byte("garbage"), "cut": good[:len(good)-1], "longer": append(bytes.Clone(good), 0), "off the curve": flipped(good),
		"secp256k1, off the curve": secp256k1SPKI(t, append([]byte{4}, make([]byte, 64)...)),
	} {
		_, verr := Verify(spki, hsmpool.ECDSASHA256, make([]byte, 32), []byte("x"))
		_, eerr := EncryptOAEP(spki, crypto.SHA256, []byte("x"))
		_, merr := MaxOAEP(spki, crypto.SHA256)
		if verr == nil || eerr == nil || merr == nil {
			t.Errorf("%s: Verify %v, EncryptOAEP %v, MaxOAEP %v", name, verr, eerr, merr)
		}
	}
	if _, err := EncryptOAEP(good, crypto.SHA256, []byte("x")); err == nil {
		t.Error("a key on P-256 encrypted")
	}
	if _, err := MaxOAEP(good, crypto.SHA256); err == nil {
		t.Error("a key on P-256 has a longest plaintext")
	}
}
