package keystore

import (
	"context"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// GetPublicKey answers the public key of an asymmetric key.
func (k *Keystore) GetPublicKey(ctx context.Context, req *kmsv1.GetPublicKeyRequest) (*kmsv1.GetPublicKeyResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_GetPublicKey_FullMethodName, req, plan[*kmsv1.GetPublicKeyResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(hasPublicKey),
		run: func(_ context.Context, p *proof) (*kmsv1.GetPublicKeyResponse, error) {
			r := p.key.record
			return &kmsv1.GetPublicKeyResponse{
				KeyId: &p.key.arn, PublicKey: r.GetPublicKey(),
				CustomerMasterKeySpec: formerSpec(r.GetKeySpec()), KeySpec: r.KeySpec, KeyUsage: r.KeyUsage,
				EncryptionAlgorithms: p.key.kind.encryption, SigningAlgorithms: p.key.kind.signing, KeyAgreementAlgorithms: p.key.kind.agreement,
			}, nil
		},
	})
}

func hasPublicKey(k *key) error {
	if !k.kind.asymmetric() {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "%s is not an asymmetric key and has no public key.", k.arn)
	}
	return usable(k, k.record.GetKeyUsage(), "GetPublicKey")
}

// DeriveSharedSecret agrees on a secret with the owner of a public key.
func (k *Keystore) DeriveSharedSecret(ctx context.Context, req *kmsv1.DeriveSharedSecretRequest) (*kmsv1.DeriveSharedSecretResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_DeriveSharedSecret_FullMethodName, req, plan[*kmsv1.DeriveSharedSecretResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check: onKey(func(k *key) error {
			if err := usable(k, keyAgreement, "DeriveSharedSecret"); err != nil {
				return err
			}
			return offers(k, k.kind.agreement, req.GetKeyAgreementAlgorithm())
		}),
		run: func(ctx context.Context, p *proof) (*kmsv1.DeriveSharedSecretResponse, error) {
			secret, err := p.agree(ctx, req.GetPublicKey())
			if err != nil {
				return nil, err
			}
			return &kmsv1.DeriveSharedSecretResponse{
				KeyId: &p.key.arn, SharedSecret: secret, KeyAgreementAlgorithm: req.KeyAgreementAlgorithm, KeyOrigin: p.key.record.Origin,
			}, nil
		},
	})
}
