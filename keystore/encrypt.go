package keystore

import (
	"context"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// symmetricDefault is the encryption algorithm of symmetric keys, and the one that
// is meant when a request names none.
const symmetricDefault = kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_SYMMETRIC_DEFAULT

func orSymmetric(a kmsv1.EncryptionAlgorithmSpec) kmsv1.EncryptionAlgorithmSpec {
	if a == kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_UNSPECIFIED {
		return symmetricDefault
	}
	return a
}

// Encrypt encrypts up to 4,096 bytes under a KMS key.
func (k *Keystore) Encrypt(ctx context.Context, req *kmsv1.EncryptRequest) (*kmsv1.EncryptResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_Encrypt_FullMethodName, req, plan[*kmsv1.EncryptResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(encrypts("Encrypt", req)),
		run: func(ctx context.Context, p *proof) (*kmsv1.EncryptResponse, error) {
			algorithm := orSymmetric(req.GetEncryptionAlgorithm())
			sealed, err := p.encrypt(ctx, algorithm, req.GetPlaintext(), req.GetEncryptionContext())
			if err != nil {
				return nil, err
			}
			return &kmsv1.EncryptResponse{CiphertextBlob: sealed, KeyId: &p.key.arn, EncryptionAlgorithm: algorithm.Enum()}, nil
		},
	})
}

// Decrypt decrypts what Encrypt and the GenerateDataKey operations made. With
// a KeyId, only that key's ciphertexts are decrypted.
func (k *Keystore) Decrypt(ctx context.Context, req *kmsv1.DecryptRequest) (*kmsv1.DecryptResponse, error) {
	b, malformed := parseBlob(req.GetCiphertextBlob())
	return perform(ctx, k, kmsv1.KeyManagementService_Decrypt_FullMethodName, req, plan[*kmsv1.DecryptResponse]{
		targets: on(k.bySource(req.KeyId, b, malformed)),
		check:   onKey(decryptable("Decrypt", req.GetEncryptionAlgorithm(), req.GetEncryptionContext(), b, malformed)),
		run: func(ctx context.Context, p *proof) (*kmsv1.DecryptResponse, error) {
			algorithm := orSymmetric(req.GetEncryptionAlgorithm())
			plaintext, err := p.decrypt(ctx, algorithm, req.GetCiphertextBlob(), b, req.GetEncryptionContext())
			if err != nil {
				return nil, err
			}
			return &kmsv1.DecryptResponse{
				KeyId: &p.key.arn, Plaintext: plaintext, EncryptionAlgorithm: algorithm.Enum(),
				KeyMaterialId: p.key.nameOf(p.material),
			}, nil
		},
	})
}
