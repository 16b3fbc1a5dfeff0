package keystore

import (
	"context"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// symmetricDefault is the only encryption algorithm of the keys so far.
const symmetricDefault = kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_SYMMETRIC_DEFAULT

// Encrypt encrypts up to 4,096 bytes under a KMS key.
func (k *Keystore) Encrypt(ctx context.Context, req *kmsv1.EncryptRequest) (*kmsv1.EncryptResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_Encrypt_FullMethodName, req, plan[*kmsv1.EncryptResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(encryptable("Encrypt", req.GetEncryptionAlgorithm())),
		run: func(ctx context.Context, p *proof) (*kmsv1.EncryptResponse, error) {
			sealed, err := p.seal(ctx, req.GetPlaintext(), req.GetEncryptionContext())
			if err != nil {
				return nil, err
			}
			return &kmsv1.EncryptResponse{CiphertextBlob: sealed, KeyId: &p.key.arn, EncryptionAlgorithm: symmetricDefault.Enum()}, nil
		},
	})
}

// Decrypt decrypts what Encrypt and the GenerateDataKey operations made. With
// a KeyId, only that key's ciphertexts are decrypted.
func (k *Keystore) Decrypt(ctx context.Context, req *kmsv1.DecryptRequest) (*kmsv1.DecryptResponse, error) {
	b, malformed := parseBlob(req.GetCiphertextBlob())
	return perform(ctx, k, kmsv1.KeyManagementService_Decrypt_FullMethodName, req, plan[*kmsv1.DecryptResponse]{
		targets: on(k.bySource(req.KeyId, b, malformed)),
		check:   onKey(decryptable("Decrypt", req.GetEncryptionAlgorithm(), b, malformed)),
		run: func(ctx context.Context, p *proof) (*kmsv1.DecryptResponse, error) {
			plaintext, err := p.open(ctx, b, req.GetEncryptionContext())
			if err != nil {
				return nil, err
			}
			return &kmsv1.DecryptResponse{
				KeyId: &p.key.arn, Plaintext: plaintext, EncryptionAlgorithm: symmetricDefault.Enum(),
				KeyMaterialId: new(materialID(p.material)),
			}, nil
		},
	})
}
