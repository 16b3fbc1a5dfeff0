package hsmpool

import (
	"context"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

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

// DecryptOAEP decrypts by RSA-OAEP with a private key of the token. Whatever is wrong with
// the ciphertext, the answer is one Error of class Caller that does not tell what.
func (p *Pool) DecryptOAEP(ctx context.Context, id ObjectID, a Algorithm, ciphertext []byte) (Opened, error) {
	reply, trace, err := p.run(ctx, &order{object: id, repeat: true, message: &workerv1.ToWorker{Request: &workerv1.ToWorker_Decrypt{
		Decrypt: &workerv1.DecryptRequest{ObjectId: id[:], Algorithm: string(a), Ciphertext: ciphertext},
	}}})
	if err != nil {
		return Opened{Trace: trace}, err
	}
	return Opened{Plaintext: orEmpty(reply.GetPlaintext()), Trace: trace}, nil
}

// Agree derives the shared secret of a private key of the token and a peer's public key,
// SubjectPublicKeyInfo in DER. If that is no point of the key's curve the Error is of class
// Caller. The HSM entries of the derivation are durable when Agree returns.
func (p *Pool) Agree(ctx context.Context, id ObjectID, peer []byte) (Agreed, error) {
	reply, trace, err := p.run(ctx, &order{object: id, repeat: true, recorded: true, message: &workerv1.ToWorker{
		Request: &workerv1.ToWorker_Agree{Agree: &workerv1.AgreeRequest{ObjectId: id[:], Peer: peer}},
	}})
	if err != nil {
		return Agreed{Trace: trace}, err
	}
	return Agreed{Secret: reply.GetPlaintext(), Trace: trace}, nil
}

// GeneratePair makes a key pair in the token, takes it out and leaves nothing of it there;
// therefore it is repeated like the use of a key. Its HSM entries are durable when it
// returns.
func (p *Pool) GeneratePair(ctx context.Context, t KeyType) (Pair, error) {
	if err := p.can(ctx, ObjectID{}, t, func(c Capability) bool { return c.Algorithm == KeyPair }); err != nil {
		return Pair{}, err
	}
	reply, trace, err := p.run(ctx, &order{repeat: true, recorded: true, message: &workerv1.ToWorker{
		Request: &workerv1.ToWorker_GeneratePair{GeneratePair: &workerv1.GeneratePairRequest{KeyType: uint32(t)}},
	}})
	if err != nil {
		return Pair{Trace: trace}, err
	}
	return Pair{PublicKey: reply.GetPublicKey(), PrivateKey: reply.GetPlaintext(), Trace: trace}, nil
}
