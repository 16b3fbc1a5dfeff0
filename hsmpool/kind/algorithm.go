package kind

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

// Means says where an algorithm is carried out.
type Means string

// The means.
const (
	// InToken: all of it in the token.
	InToken Means = "token"
	// WithWorker: what needs the key in the token, the rest in the worker's memory, e.g. raw
	// RSA and the removal of the padding.
	WithWorker Means = "token and worker"
	// ThroughWorker: key material passes through the worker's memory.
	ThroughWorker Means = "worker memory"
)
