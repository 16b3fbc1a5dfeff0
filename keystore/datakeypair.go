package keystore

import (
	"context"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// GenerateDataKeyPair makes a key pair in the HSM that is not kept, and answers
// its private key in the clear and encrypted under a KMS key.
func (k *Keystore) GenerateDataKeyPair(ctx context.Context, req *kmsv1.GenerateDataKeyPairRequest) (*kmsv1.GenerateDataKeyPairResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_GenerateDataKeyPair_FullMethodName, req, plan[*kmsv1.GenerateDataKeyPairResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(pairable("GenerateDataKeyPair", req.GetKeyPairSpec())),
		run: func(ctx context.Context, p *proof) (*kmsv1.GenerateDataKeyPairResponse, error) {
			made, sealed, err := p.generatePair(ctx, pairType(req.GetKeyPairSpec()), req.GetEncryptionContext())
			if err != nil {
				clear(made.PrivateKey)
				return nil, err
			}
			return &kmsv1.GenerateDataKeyPairResponse{
				PrivateKeyCiphertextBlob: sealed, PrivateKeyPlaintext: made.PrivateKey, PublicKey: made.PublicKey,
				KeyId: &p.key.arn, KeyPairSpec: req.KeyPairSpec, KeyMaterialId: new(materialID(p.material)),
			}, nil
		},
	})
}

// GenerateDataKeyPairWithoutPlaintext is GenerateDataKeyPair without the private
// key in the clear.
func (k *Keystore) GenerateDataKeyPairWithoutPlaintext(ctx context.Context, req *kmsv1.GenerateDataKeyPairWithoutPlaintextRequest) (*kmsv1.GenerateDataKeyPairWithoutPlaintextResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_GenerateDataKeyPairWithoutPlaintext_FullMethodName, req, plan[*kmsv1.GenerateDataKeyPairWithoutPlaintextResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(pairable("GenerateDataKeyPairWithoutPlaintext", req.GetKeyPairSpec())),
		run: func(ctx context.Context, p *proof) (*kmsv1.GenerateDataKeyPairWithoutPlaintextResponse, error) {
			made, sealed, err := p.generatePair(ctx, pairType(req.GetKeyPairSpec()), req.GetEncryptionContext())
			clear(made.PrivateKey)
			if err != nil {
				return nil, err
			}
			return &kmsv1.GenerateDataKeyPairWithoutPlaintextResponse{
				PrivateKeyCiphertextBlob: sealed, PublicKey: made.PublicKey,
				KeyId: &p.key.arn, KeyPairSpec: req.KeyPairSpec, KeyMaterialId: new(materialID(p.material)),
			}, nil
		},
	})
}

// pairable checks that a key may encrypt the private key of a pair of a spec.
func pairable(operation string, spec kmsv1.DataKeyPairSpec) func(*key) error {
	return func(k *key) error {
		if err := encryptable(operation, symmetricDefault)(k); err != nil {
			return err
		}
		if k.record.CustomKeyStoreId != nil {
			return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "%s is in a custom key store, which is not valid for %s.", k.arn, operation)
		}
		if pairType(spec) == 0 {
			return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "KeyPairSpec %s is not supported.", describe.WireName(spec))
		}
		return nil
	}
}

// pairType is a data key pair spec to the HSM; 0: there are no such pairs.
func pairType(s kmsv1.DataKeyPairSpec) hsmpool.KeyType {
	switch s {
	case kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_RSA_2048:
		return hsmpool.RSA2048
	case kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_RSA_3072:
		return hsmpool.RSA3072
	case kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_RSA_4096:
		return hsmpool.RSA4096
	case kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_NIST_P256:
		return hsmpool.P256
	case kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_NIST_P384:
		return hsmpool.P384
	case kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_NIST_P521:
		return hsmpool.P521
	case kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_SECG_P256_K1:
		return hsmpool.Secp256k1
	case kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_NIST_EDWARDS25519:
		return hsmpool.Ed25519
	}
	return 0
}
