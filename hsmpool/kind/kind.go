// Package kind names the kinds of keys, what they may do and by which algorithms. It
// stands apart so that the pool and the worker share it.
package kind

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

// KeyTypes returns every key type, in order.
func KeyTypes() []KeyType {
	all := make([]KeyType, 0, Ed25519)
	for t := AES256; t <= Ed25519; t++ {
		all = append(all, t)
	}
	return all
}

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
