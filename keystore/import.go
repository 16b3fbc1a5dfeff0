package keystore

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

const (
	// importWindow is how long the parameters of an import are valid.
	importWindow = 24 * time.Hour
	// longestValidity is how far ahead imported material may expire.
	longestValidity = 365 * 24 * time.Hour
)

// GetParametersForImport makes an RSA key pair in the HSM, whose public key wraps
// key material for its import. It replaces the pair of an earlier request.
func (k *Keystore) GetParametersForImport(ctx context.Context, req *kmsv1.GetParametersForImportRequest) (*kmsv1.GetParametersForImportResponse, error) {
	wrapping := newBackingKey(timestamppb.New(k.now()))
	return perform(ctx, k, kmsv1.KeyManagementService_GetParametersForImport_FullMethodName, req, plan[*kmsv1.GetParametersForImportResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		check:   onKey(func(of *key) error { return wrappable(of, req) }),
		change: func(found []target) audit.Intent {
			return audit.Intent{KeyARN: found[0].key.arn, BackingKeyID: hsmpool.ObjectID(wrapping.GetId()).String()}
		},
		run: func(ctx context.Context, p *proof) (*kmsv1.GetParametersForImportResponse, error) {
			publicKey, err := k.awaitImport(ctx, p, wrapping, req)
			if err != nil {
				return nil, err
			}
			i := p.key.record.GetImport()
			return &kmsv1.GetParametersForImportResponse{
				KeyId: &p.key.arn, ImportToken: importToken(p.key.id, i), PublicKey: publicKey, ParametersValidTo: i.ValidTo,
			}, nil
		},
	})
}

// awaitImport replaces the wrapping key of the proof's key: first the former one
// is destroyed, so that none is ever left behind.
func (k *Keystore) awaitImport(ctx context.Context, p *proof, wrapping *storagev1.BackingKey, req *kmsv1.GetParametersForImportRequest) (publicKey []byte, err error) {
	if former := p.key.record.GetImport(); former != nil {
		if _, err := p.destroy(ctx, hsmpool.ObjectID(former.GetWrappingKeyId())); err != nil {
			return nil, p.hsmError(ctx, err)
		}
	}
	id := hsmpool.ObjectID(wrapping.GetId())
	publicKey, err = p.generate(ctx, id, p.key.arn, kind{typ: wrappingType(req.GetWrappingKeySpec()), use: hsmpool.Unwrap})
	if err != nil {
		return nil, err
	}
	r := proto.CloneOf(p.key.record)
	r.Import = &storagev1.ImportRecord{
		WrappingKeyId: wrapping.Id, Algorithm: req.WrappingAlgorithm, Spec: req.WrappingKeySpec,
		ValidTo: timestamppb.New(k.now().Add(importWindow)),
	}
	return publicKey, k.storeMade(ctx, p, r, id)
}

// storeMade stores the record of the proof's key that names an object just made.
// If it is certainly not stored the object is destroyed again.
func (k *Keystore) storeMade(ctx context.Context, p *proof, r *storagev1.KeyRecord, id hsmpool.ObjectID) error {
	made, err := k.storeRecord(ctx, p, r, p.key.revision)
	if err == nil {
		p.key, p.unsettled = made, false
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The metadata of the key material could not be stored.").
		because(errors.Join(err, k.undoObject(ctx, p, r.GetKeyId(), id)))
}

// wrappable says whether material may be wrapped for a key so.
func wrappable(of *key, req *kmsv1.GetParametersForImportRequest) error {
	if err := importable(of); err != nil {
		return err
	}
	unsupported := func(format string, args ...any) error {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, format, args...)
	}
	algorithm := describe.WireName(req.GetWrappingAlgorithm())
	switch a := wrappingAlgorithm(req.GetWrappingAlgorithm()); {
	case a == "":
		return unsupported("WrappingAlgorithm %s is not supported.", algorithm)
	case wrappingType(req.GetWrappingKeySpec()) == 0:
		return unsupported("WrappingKeySpec %s is not supported.", describe.WireName(req.GetWrappingKeySpec()))
	case (a == hsmpool.WrapOAEPSHA1 || a == hsmpool.WrapOAEPSHA256) && of.kind.typ >= hsmpool.RSA2048 && of.kind.typ <= hsmpool.RSA4096:
		return unsupported("WrappingAlgorithm %s is not valid for the KeySpec %s, whose material is too long for it.", algorithm, describe.WireName(of.record.GetKeySpec()))
	}
	return nil
}

// importable says whether a key's material may be imported.
func importable(of *key) error {
	if err := ofOrigin(of, external); err != nil {
		return err
	}
	return refuseIn(of, creating, pendingDeletion, pendingReplicaDeletion, updating)
}

func wrappingType(s kmsv1.WrappingKeySpec) hsmpool.KeyType {
	switch s {
	case kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_2048:
		return hsmpool.RSA2048
	case kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_3072:
		return hsmpool.RSA3072
	case kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_4096:
		return hsmpool.RSA4096
	}
	return 0
}

// wrappingAlgorithm is what the HSM calls a wrapping algorithm; empty: there is
// none of that name. PKCS #1 v1.5 was given up by AWS too.
func wrappingAlgorithm(a kmsv1.AlgorithmSpec) hsmpool.Algorithm {
	switch a {
	case kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_1:
		return hsmpool.WrapOAEPSHA1
	case kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_256:
		return hsmpool.WrapOAEPSHA256
	case kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSA_AES_KEY_WRAP_SHA_1:
		return hsmpool.WrapRSAAESSHA1
	case kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSA_AES_KEY_WRAP_SHA_256:
		return hsmpool.WrapRSAAESSHA256
	}
	return ""
}
