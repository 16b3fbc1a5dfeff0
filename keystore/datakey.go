package keystore

import (
	"context"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// GenerateDataKey makes random bytes in the HSM and answers them in the clear
// and encrypted under a KMS key.
func (k *Keystore) GenerateDataKey(ctx context.Context, req *kmsv1.GenerateDataKeyRequest) (*kmsv1.GenerateDataKeyResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_GenerateDataKey_FullMethodName, req, plan[*kmsv1.GenerateDataKeyResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(encryptable("GenerateDataKey", symmetricDefault)),
		run: func(ctx context.Context, p *proof) (*kmsv1.GenerateDataKeyResponse, error) {
			sealed, plaintext, err := p.sealRandom(ctx, dataKeyLength(req), true, req.GetEncryptionContext())
			if err != nil {
				return nil, err
			}
			return &kmsv1.GenerateDataKeyResponse{
				CiphertextBlob: sealed, Plaintext: plaintext, KeyId: &p.key.arn,
				KeyMaterialId: new(materialID(p.material)),
			}, nil
		},
	})
}

// GenerateDataKeyWithoutPlaintext is GenerateDataKey whose plaintext never
// leaves the HSM worker.
func (k *Keystore) GenerateDataKeyWithoutPlaintext(ctx context.Context, req *kmsv1.GenerateDataKeyWithoutPlaintextRequest) (*kmsv1.GenerateDataKeyWithoutPlaintextResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_GenerateDataKeyWithoutPlaintext_FullMethodName, req, plan[*kmsv1.GenerateDataKeyWithoutPlaintextResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(encryptable("GenerateDataKeyWithoutPlaintext", symmetricDefault)),
		run: func(ctx context.Context, p *proof) (*kmsv1.GenerateDataKeyWithoutPlaintextResponse, error) {
			sealed, _, err := p.sealRandom(ctx, dataKeyLength(req), false, req.GetEncryptionContext())
			if err != nil {
				return nil, err
			}
			return &kmsv1.GenerateDataKeyWithoutPlaintextResponse{
				CiphertextBlob: sealed, KeyId: &p.key.arn, KeyMaterialId: new(materialID(p.material)),
			}, nil
		},
	})
}

// GenerateRandom answers random bytes made in the HSM, that of a custom key store
// if the request names one.
func (k *Keystore) GenerateRandom(ctx context.Context, req *kmsv1.GenerateRandomRequest) (*kmsv1.GenerateRandomResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_GenerateRandom_FullMethodName, req, plan[*kmsv1.GenerateRandomResponse]{
		targets: k.inStore(req.CustomKeyStoreId),
		check:   k.storeConnected,
		run: func(ctx context.Context, p *proof) (*kmsv1.GenerateRandomResponse, error) {
			p.store = req.GetCustomKeyStoreId()
			b, err := p.random(ctx, int(req.GetNumberOfBytes()))
			if err != nil {
				return nil, err
			}
			return &kmsv1.GenerateRandomResponse{Plaintext: b}, nil
		},
	})
}

// dataKeyLength is the length that a request asks for, in bytes. Validation
// has seen to it that there is exactly one answer.
func dataKeyLength(req interface {
	GetKeySpec() kmsv1.DataKeySpec
	GetNumberOfBytes() int32
}) int {
	switch req.GetKeySpec() {
	case kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256:
		return 32
	case kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_128:
		return 16
	default:
		return int(req.GetNumberOfBytes())
	}
}
