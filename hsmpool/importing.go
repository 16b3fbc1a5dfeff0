package hsmpool

import (
	"context"
	"errors"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
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
	// Fingerprint, 32 bytes, names the material and tells nothing of it: of key pairs the
	// SHA-256 of PublicKey.
	Fingerprint []byte
	Trace       Trace
}

// Import unwraps key material into the token: where the token can, without it being seen
// outside; where it cannot, through the worker's memory if the profile allows that, and
// otherwise the Error is of class Unsupported and names the mechanism. Of class Caller is
// whatever is wrong with the material: one answer for what cannot be unwrapped, and words for
// what turns out to be of another type or length.
//
// As of Generate, the new key's attributes have been read back and checked, and its HSM
// entries are durable, when nil is returned; the id must be new; and after a failure whose
// outcome is unknown the pool destroys what may have been made, and refuses the id until it
// has.
func (p *Pool) Import(ctx context.Context, r ImportRequest) (Imported, error) {
	if p.orphans.has(r.ID) {
		return Imported{}, p.internal(r.ID, errOrphan)
	}
	if r.Expect != nil && len(r.Expect) == 0 {
		return Imported{}, p.internal(r.ID, errors.New("an empty fingerprint is none"))
	}
	if err := p.canGenerate(ctx, GenerateRequest{ID: r.ID, Type: r.Type, Use: r.Use}); err != nil {
		return Imported{}, err
	}
	reply, trace, err := p.makeKey(ctx, r.ID, &workerv1.ToWorker{Request: &workerv1.ToWorker_Import{
		Import: &workerv1.ImportRequest{
			ObjectId: r.ID[:], Label: r.Label, KeyType: uint32(r.Type), Use: uint32(r.Use),
			By: r.By[:], Algorithm: string(r.Algorithm), Wrapped: r.Wrapped, Expect: r.Expect,
		},
	}})
	if err != nil {
		return Imported{Trace: trace}, err
	}
	return Imported{PublicKey: reply.GetPublicKey(), Fingerprint: reply.GetFingerprint(), Trace: trace}, nil
}
