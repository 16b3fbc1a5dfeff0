package keystore

import (
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/strongroom-kms/strongroom/keystore/blob"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// sealPassword encrypts a store's password under its sealing key in the default
// HSM, and puts it into the record.
func (p *proof) sealPassword(ctx context.Context, r *storagev1.CustomKeyStoreRecord, arn, password string) error {
	ctx, hsm, err := p.hsm(ctx)
	if err != nil {
		return err
	}
	copy(p.material[:], r.GetSealingKeyId())
	secret := []byte(password)
	defer clear(secret)
	s, err := hsm.Seal(ctx, p.material, secret, []byte(arn))
	p.note(s.Trace, err)
	if err != nil {
		return p.hsmError(ctx, err)
	}
	r.SealedPassword = append(s.IV[:], s.Ciphertext...)
	return nil
}

// openPassword decrypts a store's password. The caller wipes it.
func (p *proof) openPassword(ctx context.Context, s *customStore) ([]byte, error) {
	ctx, hsm, err := p.hsm(ctx)
	if err != nil {
		return nil, err
	}
	sealed := s.record.GetSealedPassword()
	if len(sealed) < blob.IVSize {
		return nil, fmt.Errorf("the sealed password of %s has %d bytes", s.id, len(sealed))
	}
	p.material = s.sealing
	o, err := hsm.Open(ctx, s.sealing, sealed[:blob.IVSize], sealed[blob.IVSize:], []byte(s.arn))
	p.note(o.Trace, err)
	if err != nil {
		return nil, p.hsmError(ctx, err)
	}
	return o.Plaintext, nil
}

// confirmPassword checks that a store has a password; it is another store's name
// that is asked for otherwise.
func (p *proof) confirmPassword(ctx context.Context, s *customStore, password string) error {
	known, err := p.openPassword(ctx, s)
	if err != nil {
		return err
	}
	defer clear(known)
	if subtle.ConstantTimeCompare(known, []byte(password)) != 1 {
		return nameInUse(s.record.GetName())
	}
	return nil
}
