package cloudtrail

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// SignatureAlgorithm is the one algorithm of digests: RSASSA-PKCS1-v1_5 with
// SHA-256, in CloudTrail's spelling.
const SignatureAlgorithm = "SHA256withRSA"

// PublicKey is a key that digests are verified with.
type PublicKey struct {
	// Fingerprint names it: see Fingerprint.
	Fingerprint string
	// DER is a PKCS #1 RSAPublicKey.
	DER []byte
	// Created is when the key was made.
	Created time.Time
}

// Fingerprint returns the name of the key with this PKCS #1 DER: the SHA-256 of it,
// in hexadecimal.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// VerifySignature returns nil if the signature of message is that of the key with
// this PKCS #1 DER.
func VerifySignature(der, message, signature []byte) error {
	key, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return fmt.Errorf("public key %s: %w", Fingerprint(der), err)
	}
	return verify(key, message, signature)
}

func verify(key *rsa.PublicKey, message, signature []byte) error {
	sum := sha256.Sum256(message)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
		return fmt.Errorf("signature does not verify: %w", err)
	}
	return nil
}

// Keys are public keys by their fingerprints.
type Keys map[string]*rsa.PublicKey

// NewKeys returns the keys with these PKCS #1 DERs.
func NewKeys(der ...[]byte) (Keys, error) {
	keys := make(Keys, len(der))
	for _, d := range der {
		key, err := x509.ParsePKCS1PublicKey(d)
		if err != nil {
			return nil, fmt.Errorf("public key %s: %w", Fingerprint(d), err)
		}
		keys[Fingerprint(d)] = key
	}
	return keys, nil
}

// SignatureFile returns what is in the file beside a digest: the signature in
// hexadecimal, and a line's end.
func SignatureFile(signature string) []byte { return []byte(signature + "\n") }

// ParseSignatureFile returns the signature in hexadecimal.
func ParseSignatureFile(content []byte) (string, error) {
	signature, ended := strings.CutSuffix(string(content), "\n")
	raw, err := hex.DecodeString(signature)
	if err != nil || !ended || hex.EncodeToString(raw) != signature || signature == "" {
		return "", errors.New("a signature file has one line of lower case hexadecimal digits")
	}
	return signature, nil
}
