package hsmpool

import (
	"context"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
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

// Sign signs with a private key of the token. Input is the digest by the algorithm's hash;
// for EdDSA the message, for EdDSAph the message's SHA-512 digest. A digest of another
// length, or a key of another kind, is an Error of class Internal.
func (p *Pool) Sign(ctx context.Context, id ObjectID, a Algorithm, input []byte) (Signed, error) {
	if a == EdDSAph { // which some tokens take for the other one
		if err := p.can(ctx, id, Ed25519, func(c Capability) bool { return c.Algorithm == a }); err != nil {
			return Signed{}, err
		}
	}
	signature, trace, err := p.sign(ctx, id, a, input)
	return Signed{Signature: signature, Trace: trace}, err
}

// MAC returns the HMAC of a message under a secret of the token.
func (p *Pool) MAC(ctx context.Context, id ObjectID, a Algorithm, message []byte) (MACed, error) {
	mac, trace, err := p.sign(ctx, id, a, message)
	return MACed{MAC: mac, Trace: trace}, err
}

func (p *Pool) sign(ctx context.Context, id ObjectID, a Algorithm, input []byte) ([]byte, Trace, error) {
	reply, trace, err := p.run(ctx, &order{object: id, repeat: true, message: &workerv1.ToWorker{Request: &workerv1.ToWorker_Sign{
		Sign: &workerv1.SignRequest{ObjectId: id[:], Algorithm: string(a), Input: input},
	}}})
	if err != nil {
		return nil, trace, err
	}
	return reply.GetSignature(), trace, nil
}
