package hsmpool

import "github.com/strongroom-kms/strongroom/hsmpool/kind"

// What keys are, may do and are used by: see package kind.
type (
	// KeyType is a kind of key material.
	KeyType = kind.KeyType
	// Use is what a key may do; it has one.
	Use = kind.Use
	// Algorithm is what a key is used by.
	Algorithm = kind.Algorithm
)

// The key types.
const (
	AES256    = kind.AES256
	HMAC224   = kind.HMAC224
	HMAC256   = kind.HMAC256
	HMAC384   = kind.HMAC384
	HMAC512   = kind.HMAC512
	RSA2048   = kind.RSA2048
	RSA3072   = kind.RSA3072
	RSA4096   = kind.RSA4096
	P256      = kind.P256
	P384      = kind.P384
	P521      = kind.P521
	Secp256k1 = kind.Secp256k1
	Ed25519   = kind.Ed25519
)

// The uses.
const (
	Encrypt = kind.Encrypt
	Sign    = kind.Sign
	MAC     = kind.MAC
	Agree   = kind.Agree
	Unwrap  = kind.Unwrap
)

// The algorithms.
const (
	AESGCM           = kind.AESGCM
	HMACSHA224       = kind.HMACSHA224
	HMACSHA256       = kind.HMACSHA256
	HMACSHA384       = kind.HMACSHA384
	HMACSHA512       = kind.HMACSHA512
	OAEPSHA1         = kind.OAEPSHA1
	OAEPSHA256       = kind.OAEPSHA256
	PKCS1SHA256      = kind.PKCS1SHA256
	PKCS1SHA384      = kind.PKCS1SHA384
	PKCS1SHA512      = kind.PKCS1SHA512
	PSSSHA256        = kind.PSSSHA256
	PSSSHA384        = kind.PSSSHA384
	PSSSHA512        = kind.PSSSHA512
	ECDSASHA256      = kind.ECDSASHA256
	ECDSASHA384      = kind.ECDSASHA384
	ECDSASHA512      = kind.ECDSASHA512
	EdDSA            = kind.EdDSA
	EdDSAph          = kind.EdDSAph
	ECDH             = kind.ECDH
	KeyPair          = kind.KeyPair
	WrapOAEPSHA1     = kind.WrapOAEPSHA1
	WrapOAEPSHA256   = kind.WrapOAEPSHA256
	WrapRSAAESSHA1   = kind.WrapRSAAESSHA1
	WrapRSAAESSHA256 = kind.WrapRSAAESSHA256
)
