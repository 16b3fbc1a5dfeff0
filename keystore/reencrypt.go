package keystore

import (
	"context"

	"github.com/strongroom-kms/strongroom/keystore/blob"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// ReEncrypt decrypts a ciphertext under the source key and encrypts the
// plaintext under the destination key. The source is found as Decrypt finds it.
func (k *Keystore) ReEncrypt(ctx context.Context, req *kmsv1.ReEncryptRequest) (*kmsv1.ReEncryptResponse, error) {
	b, malformed := parseBlob(req.GetCiphertextBlob())
	source, destination := k.bySource(req.SourceKeyId, b, malformed), k.byReference(req.GetDestinationKeyId())
	return perform(ctx, k, kmsv1.KeyManagementService_ReEncrypt_FullMethodName, req, plan[*kmsv1.ReEncryptResponse]{
		targets: func() []target { return []target{source(), destination()} },
		check: func(found []target) error {
			err := decryptable("ReEncrypt", req.GetSourceEncryptionAlgorithm(), req.GetSourceEncryptionContext(), b, malformed)(found[0].key)
			if err != nil {
				return err
			}
			if err := encryptable("ReEncrypt", req.GetDestinationEncryptionAlgorithm())(found[1].key); err != nil {
				return err
			}
			return takesContext(found[1].key, req.GetDestinationEncryptionContext())
		},
		run: func(ctx context.Context, p *proof) (*kmsv1.ReEncryptResponse, error) {
			sealed, err := p.reencrypt(ctx, req, b)
			if err != nil {
				return nil, err
			}
			from, to := p.targets[0].key, p.targets[1].key
			return &kmsv1.ReEncryptResponse{
				CiphertextBlob: sealed, SourceKeyId: &from.arn, KeyId: &to.arn,
				SourceEncryptionAlgorithm:      orSymmetric(req.GetSourceEncryptionAlgorithm()).Enum(),
				DestinationEncryptionAlgorithm: orSymmetric(req.GetDestinationEncryptionAlgorithm()).Enum(),
				SourceKeyMaterialId:            from.nameOf(p.source), DestinationKeyMaterialId: to.nameOf(p.material),
			}, nil
		},
	})
}

// reencrypt decrypts a ciphertext of the first target's key and encrypts the
// plaintext, which is wiped, under the last target's key.
func (p *proof) reencrypt(ctx context.Context, req *kmsv1.ReEncryptRequest, b blob.Blob) ([]byte, error) {
	plaintext, err := p.decrypt(ctx, orSymmetric(req.GetSourceEncryptionAlgorithm()), req.GetCiphertextBlob(), b, req.GetSourceEncryptionContext())
	if err != nil {
		return nil, err
	}
	defer clear(plaintext)
	p.source = p.material
	to := orSymmetric(req.GetDestinationEncryptionAlgorithm())
	if err := fits(p.targets[1].key, to, len(plaintext)); err != nil {
		return nil, err
	}
	return p.encrypt(ctx, to, plaintext, req.GetDestinationEncryptionContext())
}
