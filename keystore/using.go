package keystore

import (
	"context"
	"errors"

	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// user returns the HSM of the first target's key and notes that its current
// material is used.
func (p *proof) user(ctx context.Context) (context.Context, HSM, error) {
	if p.key != nil {
		p.using, p.material = p.key, p.key.current()
	}
	return p.hsm(ctx)
}

// sign signs a digest, or a message for algorithms that hash by themselves.
func (p *proof) sign(ctx context.Context, a hsmpool.Algorithm, input []byte) ([]byte, error) {
	ctx, hsm, err := p.user(ctx)
	if err != nil {
		return nil, err
	}
	s, err := hsm.Sign(ctx, p.material, a, input)
	p.note(s.Trace, err)
	if err != nil {
		return nil, p.hsmError(ctx, err)
	}
	return s.Signature, nil
}

// mac makes the HMAC of a message.
func (p *proof) mac(ctx context.Context, a hsmpool.Algorithm, message []byte) ([]byte, error) {
	ctx, hsm, err := p.user(ctx)
	if err != nil {
		return nil, err
	}
	m, err := hsm.MAC(ctx, p.material, a, message)
	p.note(m.Trace, err)
	if err != nil {
		return nil, p.hsmError(ctx, err)
	}
	return m.MAC, nil
}

// decryptOAEP decrypts what was encrypted by the key's public key. Whatever is
// wrong with the ciphertext, the answer is the same.
func (p *proof) decryptOAEP(ctx context.Context, a kmsv1.EncryptionAlgorithmSpec, ciphertext []byte) ([]byte, error) {
	ctx, hsm, err := p.user(ctx)
	if err != nil {
		return nil, err
	}
	algorithm, _ := oaepOf(a)
	o, err := hsm.DecryptOAEP(ctx, p.material, algorithm, ciphertext)
	p.note(o.Trace, err)
	if callersFault(err) {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT, "The ciphertext was not encrypted under %s.", p.key.arn).because(err)
	}
	if err != nil {
		return nil, p.hsmError(ctx, err)
	}
	return o.Plaintext, nil
}

// agree derives the secret that the key shares with the owner of a public key.
func (p *proof) agree(ctx context.Context, peer []byte) ([]byte, error) {
	ctx, hsm, err := p.user(ctx)
	if err != nil {
		return nil, err
	}
	a, err := hsm.Agree(ctx, p.material, peer)
	p.note(a.Trace, err)
	if callersFault(err) {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "PublicKey is not a public key on the curve of %s.", p.key.arn).because(err)
	}
	if err != nil {
		return nil, p.hsmError(ctx, err)
	}
	return a.Secret, nil
}

// generatePair makes a key pair that is handed out, and encrypts its private
// key, which the caller wipes.
func (p *proof) generatePair(ctx context.Context, t hsmpool.KeyType, encryptionContext map[string]string) (made hsmpool.Pair, sealed []byte, err error) {
	within, hsm, err := p.user(ctx)
	if err != nil {
		return made, nil, err
	}
	if made, err = hsm.GeneratePair(within, t); err != nil {
		p.note(made.Trace, err)
		return made, nil, p.hsmError(within, err)
	}
	sealed, err = p.seal(ctx, made.PrivateKey, encryptionContext)
	return made, sealed, err
}

// callersFault says whether an HSM has refused what the caller gave it.
func callersFault(err error) bool {
	var e *hsmpool.Error
	return errors.As(err, &e) && e.Class == hsmpool.Caller
}
