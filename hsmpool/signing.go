package hsmpool

import (
	"context"
	"errors"
)

// Signed is a signature.
type Signed struct {
	// Signature is as long as the modulus for RSA, the DER of ECDSA-Sig-Value for ECDSA,
	// 64 bytes for Ed25519.
	Signature []byte
	Trace     Trace
}

// MACed is a message authentication code.
type MACed struct {
	// MAC is as long as the hash.
	MAC   []byte
	Trace Trace
}

// Agreed is a shared secret.
type Agreed struct {
	// Secret is the x-coordinate of the shared point, as long as the field. Its owner
	// wipes it.
	Secret []byte
	Trace  Trace
}

// Pair is a key pair that was made in a token and handed out.
type Pair struct {
	// PublicKey is SubjectPublicKeyInfo, DER.
	PublicKey []byte
	// PrivateKey is PKCS #8, DER. Its owner wipes it.
	PrivateKey []byte
	Trace      Trace
}

var errNotYet = errors.New("the token cannot do that")

// Sign signs with a private key of the token. Input is the digest by the algorithm's hash;
// for EdDSA the message, for EdDSAph the message's SHA-512 digest.
func (p *Pool) Sign(_ context.Context, id ObjectID, _ Algorithm, _ []byte) (Signed, error) {
	return Signed{}, p.unsupported(id, errNotYet)
}

// MAC returns the HMAC of a message under a secret of the token.
func (p *Pool) MAC(_ context.Context, id ObjectID, _ Algorithm, _ []byte) (MACed, error) {
	return MACed{}, p.unsupported(id, errNotYet)
}

// DecryptOAEP decrypts with a private RSA key of the token. Whatever is wrong with the
// ciphertext, the answer is one Error of class Caller that does not tell what.
func (p *Pool) DecryptOAEP(_ context.Context, id ObjectID, _ Algorithm, _ []byte) (Opened, error) {
	return Opened{}, p.unsupported(id, errNotYet)
}

// Agree derives the shared secret of a private key of the token and a peer's public key,
// SubjectPublicKeyInfo in DER. If that is no point of the key's curve the Error is of
// class Caller.
func (p *Pool) Agree(_ context.Context, id ObjectID, _ []byte) (Agreed, error) {
	return Agreed{}, p.unsupported(id, errNotYet)
}

// GeneratePair makes a key pair in the token, takes it out and leaves nothing of it there.
func (p *Pool) GeneratePair(context.Context, KeyType) (Pair, error) {
	return Pair{}, p.unsupported(ObjectID{}, errNotYet)
}
