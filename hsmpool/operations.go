package hsmpool

import (
	"context"
	"fmt"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const (
	ivSize  = 12
	tagSize = 16
	// maxRandom bounds the random bytes of one request.
	maxRandom = 64 << 10
)

// Generate makes a key in the token: sensitive, never extractable, for its one use only.
// Its attributes have been read back and checked, and its HSM entries are durable, when
// nil is returned. What the token cannot do is an Error of class Unsupported that names the
// mechanism; to know it, the first key of a type other than AES waits for the self-test of
// that type, see Capabilities. The id must be new and random: after a failure whose outcome is unknown
// the pool destroys what may have been made under it, and refuses the id until it has.
func (p *Pool) Generate(ctx context.Context, r GenerateRequest) (Generated, error) {
	if p.orphans.has(r.ID) {
		return Generated{}, p.internal(r.ID, errOrphan)
	}
	if err := p.canGenerate(ctx, r); err != nil {
		return Generated{}, err
	}
	reply, trace, err := p.makeKey(ctx, r.ID, &workerv1.ToWorker{Request: &workerv1.ToWorker_Generate{
		Generate: &workerv1.GenerateRequest{ObjectId: r.ID[:], Label: r.Label, KeyType: uint32(r.Type), Use: uint32(r.Use)},
	}})
	if err != nil {
		return Generated{Trace: trace}, err
	}
	return Generated{PublicKey: reply.GetPublicKey(), Trace: trace}, nil
}

// canGenerate refuses keys that the token could not use. AES keys do not wait for the
// self-test.
func (p *Pool) canGenerate(ctx context.Context, r GenerateRequest) error {
	if r.Type == AES256 && r.Use == Encrypt {
		return nil
	}
	return p.can(ctx, r.ID, r.Type, func(c Capability) bool { return c.Use == r.Use })
}

// Seal encrypts plaintext by AES-256-GCM under a key of the token.
func (p *Pool) Seal(ctx context.Context, id ObjectID, plaintext, aad []byte) (Sealed, error) {
	sealed, err := p.seal(ctx, id, &workerv1.SealRequest{ObjectId: id[:], Plaintext: plaintext, Aad: aad})
	return sealed.Sealed, err
}

// SealRandom makes n random bytes in the token and encrypts them, in one request.
func (p *Pool) SealRandom(ctx context.Context, id ObjectID, n int, keepPlaintext bool, aad []byte) (SealedRandom, error) {
	if err := checkLength(n); err != nil {
		return SealedRandom{}, p.internal(id, err)
	}
	return p.seal(ctx, id, &workerv1.SealRequest{ObjectId: id[:], RandomLength: uint32(n), KeepPlaintext: keepPlaintext, Aad: aad})
}

func (p *Pool) seal(ctx context.Context, id ObjectID, r *workerv1.SealRequest) (SealedRandom, error) {
	o := &order{object: id, repeat: true, message: &workerv1.ToWorker{Request: &workerv1.ToWorker_Seal{Seal: r}}}
	reply, trace, err := p.run(ctx, o)
	if err != nil {
		return SealedRandom{Sealed: Sealed{Trace: trace}}, err
	}
	s := SealedRandom{Sealed: Sealed{Ciphertext: reply.GetCiphertext(), Trace: trace}, Plaintext: reply.GetPlaintext()}
	if copy(s.IV[:], reply.GetIv()) != ivSize {
		clear(s.Plaintext)
		return SealedRandom{}, p.internal(id, fmt.Errorf("the token used an IV of %d bytes, not %d", len(reply.GetIv()), ivSize))
	}
	return s, nil
}

// Open decrypts what Seal made. A ciphertext that was altered, or sealed under
// another key or AAD, is an Error of class Caller.
func (p *Pool) Open(ctx context.Context, id ObjectID, iv, ciphertext, aad []byte) (Opened, error) {
	if len(iv) != ivSize || len(ciphertext) < tagSize {
		return Opened{}, &Error{Class: Caller, Object: id,
			Err: fmt.Errorf("an IV of %d bytes and a ciphertext of %d cannot have been sealed here", len(iv), len(ciphertext))}
	}
	o := &order{object: id, repeat: true, message: &workerv1.ToWorker{Request: &workerv1.ToWorker_Open{
		Open: &workerv1.OpenRequest{ObjectId: id[:], Iv: iv, Ciphertext: ciphertext, Aad: aad},
	}}}
	reply, trace, err := p.run(ctx, o)
	if err != nil {
		return Opened{Trace: trace}, err
	}
	return Opened{Plaintext: orEmpty(reply.GetPlaintext()), Trace: trace}, nil
}

// orEmpty returns b, not nil.
func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Random returns n random bytes of the token, at most 64 KiB.
func (p *Pool) Random(ctx context.Context, n int) ([]byte, Trace, error) {
	if err := checkLength(n); err != nil {
		return nil, Trace{}, p.internal(ObjectID{}, err)
	}
	o := &order{repeat: true, message: &workerv1.ToWorker{
		Request: &workerv1.ToWorker_Random{Random: &workerv1.RandomRequest{Length: uint32(n)}},
	}}
	reply, trace, err := p.run(ctx, o)
	if err != nil {
		return nil, trace, err
	}
	return reply.GetPlaintext(), trace, nil
}

// Destroy destroys a key of the token for ever, a power cut notwithstanding, and its HSM
// entry is durable, when nil is returned. A key that is not there is an Error of class
// ObjectMissing; so it does no harm to ask again after any other error, and one that left
// the outcome open ends in nil or in ObjectMissing, which is as durable.
func (p *Pool) Destroy(ctx context.Context, id ObjectID) (Trace, error) {
	_, trace, err := p.run(ctx, &order{object: id, management: true, message: &workerv1.ToWorker{
		Request: &workerv1.ToWorker_Destroy{Destroy: &workerv1.DestroyRequest{ObjectId: id[:]}},
	}})
	return trace, err
}

func (p *Pool) internal(id ObjectID, err error) *Error {
	who := p.identity()
	return &Error{Class: Internal, HSM: who.hsmID, Token: who.token.Label, Object: id, Err: err}
}

func checkLength(n int) error {
	if n < 1 || n > maxRandom {
		return fmt.Errorf("%d random bytes asked for: want 1 to %d", n, maxRandom)
	}
	return nil
}
