// Package publickey does what needs no private key: it verifies signatures and
// encrypts, with a SubjectPublicKeyInfo (RFC 5280, in DER). It is pure.
package publickey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// Verify says whether a signature, encoded as [hsmpool.Pool.Sign] does, is one of
// a digest, or of a message for algorithms that hash by themselves. The error says
// that the key cannot be read or is of another kind.
func Verify(spki []byte, a hsmpool.Algorithm, signed, signature []byte) (bool, error) {
	key, err := parse(spki)
	if err != nil {
		return false, err
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return verifyRSA(k, a, signed, signature)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, signed, signature), nil
	case *secp256k1.PublicKey:
		return verifySecp256k1(k, signed, signature), nil
	case ed25519.PublicKey:
		return verifyEd25519(k, a, signed, signature), nil
	}
	return false, fmt.Errorf("a public key of type %T does not verify", key)
}

// EncryptOAEP encrypts by RSA-OAEP with MGF1 by the same hash and no label (RFC
// 8017, 7.1.1).
func EncryptOAEP(spki []byte, h crypto.Hash, plaintext []byte) ([]byte, error) {
	key, err := parse(spki)
	if err != nil {
		return nil, err
	}
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a public key of type %T does not encrypt", key)
	}
	return rsa.EncryptOAEP(h.New(), rand.Reader, k, plaintext, nil)
}

// MaxOAEP is the longest plaintext, in bytes, that a key encrypts by RSA-OAEP.
func MaxOAEP(spki []byte, h crypto.Hash) (int, error) {
	key, err := parse(spki)
	if err != nil {
		return 0, err
	}
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return 0, fmt.Errorf("a public key of type %T does not encrypt", key)
	}
	return k.Size() - 2*h.Size() - 2, nil
}

func verifyRSA(k *rsa.PublicKey, a hsmpool.Algorithm, digest, signature []byte) (bool, error) {
	switch a {
	case hsmpool.PKCS1SHA256:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, signature) == nil, nil
	case hsmpool.PKCS1SHA384:
		return rsa.VerifyPKCS1v15(k, crypto.SHA384, digest, signature) == nil, nil
	case hsmpool.PKCS1SHA512:
		return rsa.VerifyPKCS1v15(k, crypto.SHA512, digest, signature) == nil, nil
	case hsmpool.PSSSHA256:
		return verifyPSS(k, crypto.SHA256, digest, signature), nil
	case hsmpool.PSSSHA384:
		return verifyPSS(k, crypto.SHA384, digest, signature), nil
	case hsmpool.PSSSHA512:
		return verifyPSS(k, crypto.SHA512, digest, signature), nil
	}
	return false, fmt.Errorf("an RSA key does not verify by %s", a)
}

func verifyPSS(k *rsa.PublicKey, h crypto.Hash, digest, signature []byte) bool {
	return rsa.VerifyPSS(k, h, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}

func verifySecp256k1(k *secp256k1.PublicKey, digest, signature []byte) bool {
	s, err := secpecdsa.ParseDERSignature(signature)
	return err == nil && s.Verify(digest, k)
}

func verifyEd25519(k ed25519.PublicKey, a hsmpool.Algorithm, signed, signature []byte) bool {
	options := &ed25519.Options{}
	if a == hsmpool.EdDSAph {
		options.Hash = crypto.SHA512
	}
	return ed25519.VerifyWithOptions(k, signed, signature, options) == nil
}

// spkiInfo is a SubjectPublicKeyInfo (RFC 5280, 4.1).
type spkiInfo struct {
	Algorithm struct {
		Algorithm  asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
	Key asn1.BitString
}

// parse reads a SubjectPublicKeyInfo. x509 knows every curve but secp256k1.
func parse(spki []byte) (any, error) {
	var info spkiInfo
	if rest, err := asn1.Unmarshal(spki, &info); err != nil || len(rest) > 0 {
		return nil, errors.New("reading a public key: it is no SubjectPublicKeyInfo")
	}
	var key any
	var err error
	if info.onSecp256k1() {
		key, err = secp256k1.ParsePubKey(info.Key.RightAlign())
	} else {
		key, err = x509.ParsePKIXPublicKey(spki)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a public key: %w", err)
	}
	return key, nil
}

// onSecp256k1 says whether the key is on the curve of SEC 2.
func (i *spkiInfo) onSecp256k1() bool {
	var curve asn1.ObjectIdentifier
	_, err := asn1.Unmarshal(i.Algorithm.Parameters.FullBytes, &curve)
	return err == nil && curve.Equal(asn1.ObjectIdentifier{1, 3, 132, 0, 10})
}
