package keystore

import (
	"context"
	"crypto/subtle"

	"github.com/strongroom-kms/strongroom/hsmpool"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// sealPassword encrypts a store's password under its sealing key in the default
// HSM, and puts it into the record.
func (p *proof) sealPassword(ctx context.Context, r *storagev1.CustomKeyStoreRecord, arn, password string) error {
	secret := []byte(password)
	defer clear(secret)
	sealed, err := p.sealSecret(ctx, hsmpool.ObjectID(r.GetSealingKeyId()), secret, arn)
	if err != nil {
		return p.hsmError(ctx, err)
	}
	r.SealedPassword = sealed
	return nil
}

// openPassword decrypts a store's password. The caller wipes it.
func (p *proof) openPassword(ctx context.Context, s *customStore) ([]byte, error) {
	password, err := p.openSecret(ctx, s.sealing, s.record.GetSealedPassword(), s.arn)
	if err != nil {
		return nil, p.hsmError(ctx, err)
	}
	return password, nil
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
