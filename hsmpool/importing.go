package hsmpool

import (
	"context"
	"errors"
)

// ImportRequest asks for a key whose material was made elsewhere and wrapped.
type ImportRequest struct {
	// ID, Label, Type and Use are as in GenerateRequest.
	ID    ObjectID
	Label string
	Type  KeyType
	Use   Use
	// By is the key, of use Unwrap, with whose public key the material was wrapped, by
	// Algorithm, one of those that begin with WRAP.
	By        ObjectID
	Algorithm Algorithm
	Wrapped   []byte
	// Expect, if not nil, is the fingerprint that the material must have; if it has
	// another one the Error is of class Mismatch and nothing is kept.
	Expect []byte
}

// Imported is the outcome of an import.
type Imported struct {
	// PublicKey is as in Generated.
	PublicKey []byte
	// Fingerprint names the material and tells nothing of it: of key pairs the SHA-256 of
	// PublicKey.
	Fingerprint []byte
	Trace       Trace
}

// Import unwraps key material into the token.
func (p *Pool) Import(_ context.Context, r ImportRequest) (Imported, error) {
	e := p.internal(r.ID, errors.New("this token imports no keys"))
	e.Class = Unsupported
	return Imported{}, e
}
