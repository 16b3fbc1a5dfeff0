package hsmpool

import "fmt"

// KeyType is a kind of key material.
type KeyType int

// The key types. The zero value is none.
const (
	_ KeyType = iota
	// AES256 is a 256-bit AES key.
	AES256
	// HMAC224 to HMAC512 are random secrets as long as the hash: 28, 32, 48 and 64 bytes.
	HMAC224
	HMAC256
	HMAC384
	HMAC512
	// RSA2048 to RSA4096 are RSA key pairs with the public exponent 65537.
	RSA2048
	RSA3072
	RSA4096
	// P256, P384 and P521 are key pairs on the NIST curves.
	P256
	P384
	P521
	// Secp256k1 is a key pair on the curve of SEC 2.
	Secp256k1
	// Ed25519 is an EdDSA key pair on the twisted Edwards curve of RFC 8032.
	Ed25519
)

// String returns the type's name, e.g. "RSA-2048".
func (t KeyType) String() string {
	names := []string{
		AES256: "AES-256", HMAC224: "HMAC-224", HMAC256: "HMAC-256", HMAC384: "HMAC-384", HMAC512: "HMAC-512",
		RSA2048: "RSA-2048", RSA3072: "RSA-3072", RSA4096: "RSA-4096",
		P256: "P-256", P384: "P-384", P521: "P-521", Secp256k1: "secp256k1", Ed25519: "Ed25519",
	}
	if t < AES256 || int(t) >= len(names) {
		return fmt.Sprintf("KeyType(%d)", int(t))
	}
	return names[t]
}

// Use is what a key may do; it has one.
type Use int

// The uses. The zero value is none.
const (
	_ Use = iota
	// Encrypt is encryption and decryption by an AES key, decryption by an RSA key.
	Encrypt
	// Sign is making signatures.
	Sign
	// MAC is making message authentication codes.
	MAC
	// Agree is deriving shared secrets by ECDH.
	Agree
	// Unwrap is unwrapping key material that others wrapped with the RSA public key.
	Unwrap
)

// String returns the use in lower case.
func (u Use) String() string {
	names := []string{Encrypt: "encrypt", Sign: "sign", MAC: "mac", Agree: "agree", Unwrap: "unwrap"}
	if u < Encrypt || int(u) >= len(names) {
		return fmt.Sprintf("Use(%d)", int(u))
	}
	return names[u]
}

// Algorithm is what a key is used by.
type Algorithm string

// The algorithms. OAEP has no label, and MGF1 by the same hash; PSS a salt as long as the
// digest.
const (
	AESGCM Algorithm = "AES-GCM"

	HMACSHA224 Algorithm = "HMAC-SHA-224"
	HMACSHA256 Algorithm = "HMAC-SHA-256"
	HMACSHA384 Algorithm = "HMAC-SHA-384"
	HMACSHA512 Algorithm = "HMAC-SHA-512"

	OAEPSHA1   Algorithm = "RSA-OAEP-SHA-1"
	OAEPSHA256 Algorithm = "RSA-OAEP-SHA-256"

	PKCS1SHA256 Algorithm = "RSA-PKCS1-SHA-256"
	PKCS1SHA384 Algorithm = "RSA-PKCS1-SHA-384"
	PKCS1SHA512 Algorithm = "RSA-PKCS1-SHA-512"
	PSSSHA256   Algorithm = "RSA-PSS-SHA-256"
	PSSSHA384   Algorithm = "RSA-PSS-SHA-384"
	PSSSHA512   Algorithm = "RSA-PSS-SHA-512"

	ECDSASHA256 Algorithm = "ECDSA-SHA-256"
	ECDSASHA384 Algorithm = "ECDSA-SHA-384"
	ECDSASHA512 Algorithm = "ECDSA-SHA-512"

	// EdDSA is Ed25519 on the message itself, EdDSAph Ed25519ph on its SHA-512 digest.
	EdDSA   Algorithm = "Ed25519"
	EdDSAph Algorithm = "Ed25519ph"

	ECDH Algorithm = "ECDH"

	// KeyPair is a key pair that is made and handed out.
	KeyPair Algorithm = "KEY-PAIR"

	// WrapOAEPSHA1 and WrapOAEPSHA256 wrap key material by RSA-OAEP alone;
	// WrapRSAAESSHA1 and WrapRSAAESSHA256 by AES-KWP under an AES key that is wrapped so
	// (CKM_RSA_AES_KEY_WRAP).
	WrapOAEPSHA1     Algorithm = "WRAP-RSA-OAEP-SHA-1"
	WrapOAEPSHA256   Algorithm = "WRAP-RSA-OAEP-SHA-256"
	WrapRSAAESSHA1   Algorithm = "WRAP-RSA-AES-SHA-1"
	WrapRSAAESSHA256 Algorithm = "WRAP-RSA-AES-SHA-256"
)
