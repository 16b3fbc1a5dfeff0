package keystore

import (
	"context"

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
			if err := decryptable("ReEncrypt", req.GetSourceEncryptionAlgorithm(), b, malformed)(found[0].key); err != nil {
				return err
			}
			return encryptable("ReEncrypt", req.GetDestinationEncryptionAlgorithm())(found[1].key)
		},
		run: func(ctx context.Context, p *proof) (*kmsv1.ReEncryptResponse, error) {
			sealed, err := p.reseal(ctx, b, req.GetSourceEncryptionContext(), req.GetDestinationEncryptionContext())
			if err != nil {
				return nil, err
			}
			return &kmsv1.ReEncryptResponse{
				CiphertextBlob: sealed, SourceKeyId: &p.targets[0].key.arn, KeyId: &p.targets[1].key.arn,
				SourceEncryptionAlgorithm: symmetricDefault.Enum(), DestinationEncryptionAlgorithm: symmetricDefault.Enum(),
				SourceKeyMaterialId: new(materialID(p.source)), DestinationKeyMaterialId: new(materialID(p.material)),
			}, nil
		},
	})
}
