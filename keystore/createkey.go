package keystore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// cleanupTimeout bounds the undoing of a change that failed half-way; the
// request's own deadline may have passed.
const cleanupTimeout = 20 * time.Second

// CreateKey makes a symmetric KMS key: first a durable intent, then the key
// material in the HSM, then the metadata.
func (k *Keystore) CreateKey(ctx context.Context, req *kmsv1.CreateKeyRequest) (*kmsv1.CreateKeyResponse, error) {
	record := k.newKeyRecord(req)
	return perform(ctx, k, kmsv1.KeyManagementService_CreateKey_FullMethodName, req, plan[*kmsv1.CreateKeyResponse]{
		check: func([]target) error { return creatable(req) },
		change: func([]target) audit.Intent {
			return audit.Intent{KeyARN: record.GetArn(), BackingKeyID: newestID(record).String()}
		},
		run: func(ctx context.Context, p *proof) (*kmsv1.CreateKeyResponse, error) {
			created, err := k.makeMaterial(ctx, p, record, 0)
			if err != nil {
				return nil, err
			}
			return &kmsv1.CreateKeyResponse{KeyMetadata: created.metadata(k.scope)}, nil
		},
	})
}

// creatable refuses what CreateKey of AWS offers and this service does not.
func creatable(req *kmsv1.CreateKeyRequest) error {
	unsupported := func(format string, args ...any) error {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, format, args...)
	}
	switch {
	case req.KeySpec != nil && req.GetKeySpec() != kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT:
		return unsupported("KeySpec %s is not supported.", describe.WireName(req.GetKeySpec()))
	case req.CustomerMasterKeySpec != nil && req.GetCustomerMasterKeySpec() != kmsv1.CustomerMasterKeySpec_CUSTOMER_MASTER_KEY_SPEC_SYMMETRIC_DEFAULT:
		return unsupported("CustomerMasterKeySpec %s is not supported.", describe.WireName(req.GetCustomerMasterKeySpec()))
	case req.KeyUsage != nil && req.GetKeyUsage() != kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
			"KeyUsage %s is not compatible with KeySpec SYMMETRIC_DEFAULT", describe.WireName(req.GetKeyUsage()))
	case req.Origin != nil && req.GetOrigin() != kmsv1.OriginType_ORIGIN_TYPE_AWS_KMS:
		return unsupported("Origin %s is not supported.", describe.WireName(req.GetOrigin()))
	case req.GetMultiRegion():
		return unsupported("MultiRegion keys are not supported.")
	case req.Policy != nil:
		return unsupported("Policy is not supported: key policies are not enforced yet.")
	case len(req.GetTags()) > 0:
		return unsupported("Tags are not supported.")
	case req.XksKeyId != nil:
		return unsupported("XksKeyId is not supported: there are no external key stores.")
	}
	return nil
}

// newKeyRecord describes a new key, ids and all, before anything is made.
func (k *Keystore) newKeyRecord(req *kmsv1.CreateKeyRequest) *storagev1.KeyRecord {
	id, now := uuid.New(), timestamppb.Now()
	return &storagev1.KeyRecord{
		KeyId:       new(id.String()),
		Arn:         new(k.scope.keyARN(id)),
		Created:     now,
		Description: new(req.GetDescription()),
		KeySpec:     kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT.Enum(),
		KeyUsage:    kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT.Enum(),
		Origin:      kmsv1.OriginType_ORIGIN_TYPE_AWS_KMS.Enum(),
		State:       enabled.Enum(),
		BackingKeys: []*storagev1.BackingKey{newBackingKey(now)},
	}
}

// newBackingKey gives new key material its id: 16 random bytes.
func newBackingKey(now *timestamppb.Timestamp) *storagev1.BackingKey {
	id := make([]byte, len(hsmpool.ObjectID{}))
	_, _ = rand.Read(id) // never fails, by its contract
	return &storagev1.BackingKey{Id: id, Created: now}
}

// newestID is the id of a record's newest backing key.
func newestID(r *storagev1.KeyRecord) hsmpool.ObjectID {
	return hsmpool.ObjectID(r.BackingKeys[len(r.BackingKeys)-1].GetId())
}

// makeMaterial makes a record's newest backing key and stores the record, which
// is new (revision 0) or replaces the one of that revision. When the record is
// certainly not stored the backing key is destroyed again.
func (k *Keystore) makeMaterial(ctx context.Context, p *proof, r *storagev1.KeyRecord, revision uint64) (*key, error) {
	id := newestID(r)
	if err := p.generate(ctx, id, r.GetArn()); err != nil {
		return nil, err
	}
	made, err := k.storeRecord(ctx, p, r, revision)
	if err == nil {
		p.key, p.unsettled = made, false
		return made, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The metadata of the new key material could not be stored.").
		because(errors.Join(err, k.undoMaterial(ctx, p, r)))
}

// undoMaterial destroys a record's newest backing key unless the record is, or
// may be, stored after all: a store that fails in the middle of a commit does
// not know.
func (k *Keystore) undoMaterial(ctx context.Context, p *proof, r *storagev1.KeyRecord) error {
	id, trace := newestID(r), p.trace
	defer func() { p.trace = trace }() // the event is about what failed, not about the undoing
	stored := new(storagev1.KeyRecord)
	if _, err := k.stored(ctx, k.scope.keyPrefix()+r.GetKeyId(), stored); err != nil {
		return fmt.Errorf("the backing key %s was kept, because its record may have been stored: %w", id, err)
	}
	if hasBackingKey(stored, id) {
		return fmt.Errorf("the backing key %s was kept: its record was stored although storing it failed", id)
	}
	_, err := p.destroy(ctx, id)
	return err
}
