package keystore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
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

// CreateKey makes a KMS key: first a durable intent, then the key material in the
// HSM, then the metadata. A key of origin EXTERNAL awaits its material.
func (k *Keystore) CreateKey(ctx context.Context, req *kmsv1.CreateKeyRequest) (*kmsv1.CreateKeyResponse, error) {
	record := k.newKeyRecord(req)
	return perform(ctx, k, kmsv1.KeyManagementService_CreateKey_FullMethodName, req, plan[*kmsv1.CreateKeyResponse]{
		targets: k.inStore(req.CustomKeyStoreId),
		check: func(found []target) error {
			if err := k.creatable(ctx, req, record); err != nil {
				return err
			}
			return k.storeReady(found)
		},
		change: func([]target) audit.Intent {
			i := audit.Intent{KeyARN: record.GetArn(), CustomKeyStoreID: record.GetCustomKeyStoreId()}
			if len(record.BackingKeys) > 0 {
				i.BackingKeyID = newestID(record).String()
			}
			return i
		},
		run: func(ctx context.Context, p *proof) (*kmsv1.CreateKeyResponse, error) {
			created, err := k.create(ctx, p, record)
			if err != nil {
				return nil, err
			}
			return &kmsv1.CreateKeyResponse{KeyMetadata: k.placed(created).metadata(k.scope)}, nil
		},
	})
}

// create makes a key of its record.
func (k *Keystore) create(ctx context.Context, p *proof, r *storagev1.KeyRecord) (*key, error) {
	p.store = r.GetCustomKeyStoreId()
	if len(r.BackingKeys) > 0 {
		return k.makeMaterial(ctx, p, r, 0)
	}
	made, err := k.storeRecord(ctx, p, r, 0)
	if err != nil {
		return nil, notStored(ctx, "key "+r.GetArn(), err)
	}
	p.key = made
	return made, nil
}

// creatable checks what CreateKey is asked for, and completes the record.
func (k *Keystore) creatable(ctx context.Context, req *kmsv1.CreateKeyRequest, r *storagev1.KeyRecord) error {
	if err := checkKind(req); err != nil {
		return err
	}
	if err := offered(req); err != nil {
		return err
	}
	if err := storable(req); err != nil {
		return err
	}
	tags, err := newTags(req.GetTags())
	if err != nil {
		return err
	}
	r.Tags = tags
	if req.Policy == nil {
		return nil
	}
	r.Policy = req.Policy
	return k.checkKeyPolicy(ctx, r.GetArn(), req.GetPolicy(), req)
}

// checkKind checks spec and usage.
func checkKind(req *kmsv1.CreateKeyRequest) error {
	if req.KeySpec != nil && req.CustomerMasterKeySpec != nil {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	}
	spec, usage := specAndUsage(req)
	if usage == kmsv1.KeyUsageType_KEY_USAGE_TYPE_UNSPECIFIED {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	}
	_, err := kindFor(spec, usage)
	return err
}

// offered refuses what CreateKey of AWS offers and this service does not.
func offered(req *kmsv1.CreateKeyRequest) error {
	unsupported := func(format string, args ...any) error {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, format, args...)
	}
	switch o := originOf(req); {
	case o != awsKMS && o != external && o != cloudHSM:
		return unsupported("Origin %s is not supported.", describe.WireName(o))
	case req.GetMultiRegion():
		return unsupported("MultiRegion keys are not supported.")
	case req.XksKeyId != nil:
		return unsupported("XksKeyId is not supported: there are no external key stores.")
	}
	return nil
}

// The origins of key material.
const (
	awsKMS   = kmsv1.OriginType_ORIGIN_TYPE_AWS_KMS
	external = kmsv1.OriginType_ORIGIN_TYPE_EXTERNAL
	cloudHSM = kmsv1.OriginType_ORIGIN_TYPE_AWS_CLOUDHSM
)

// originOf is the origin that a request asks for.
func originOf(req *kmsv1.CreateKeyRequest) kmsv1.OriginType {
	if req.Origin == nil {
		return awsKMS
	}
	return req.GetOrigin()
}

// specAndUsage are those that a request asks for. The usage is unspecified if the
// request has to name it and does not.
func specAndUsage(req *kmsv1.CreateKeyRequest) (kmsv1.KeySpec, kmsv1.KeyUsageType) {
	spec := kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT
	switch {
	case req.KeySpec != nil:
		spec = req.GetKeySpec()
	case req.CustomerMasterKeySpec != nil:
		spec = currentSpec(req.GetCustomerMasterKeySpec())
	}
	if req.KeyUsage == nil {
		return spec, onlyUsage(spec)
	}
	return spec, req.GetKeyUsage()
}

// currentSpec is a key spec that was given under its former name.
func currentSpec(former kmsv1.CustomerMasterKeySpec) kmsv1.KeySpec {
	return kmsv1.KeySpec(kmsv1.KeySpec_value[strings.TrimPrefix(former.String(), "CUSTOMER_MASTER_")])
}

// newKeyRecord describes a new key, ids and all, before anything is made.
func (k *Keystore) newKeyRecord(req *kmsv1.CreateKeyRequest) *storagev1.KeyRecord {
	id, now := uuid.New(), timestamppb.Now()
	spec, usage := specAndUsage(req)
	r := &storagev1.KeyRecord{
		KeyId:       new(id.String()),
		Arn:         new(k.scope.keyARN(id)),
		Created:     now,
		Description: new(req.GetDescription()),
		KeySpec:     spec.Enum(),
		KeyUsage:    usage.Enum(),
		Origin:      originOf(req).Enum(),
		State:       enabled.Enum(),

		CustomKeyStoreId: req.CustomKeyStoreId,
	}
	if r.GetOrigin() == external {
		r.State = pendingImport.Enum()
		return r
	}
	r.BackingKeys = []*storagev1.BackingKey{newBackingKey(now)}
	return r
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
	of, err := kindFor(r.GetKeySpec(), r.GetKeyUsage())
	if err != nil {
		return nil, err
	}
	if r.PublicKey, err = p.generate(ctx, newestID(r), r.GetArn(), of); err != nil {
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
		because(errors.Join(err, k.undoObject(ctx, p, r.GetKeyId(), newestID(r))))
}

// undoObject destroys an object in the token that was made for a key, unless the
// key's record names it, or may do so, after all: a store that fails in the
// middle of a commit does not know.
func (k *Keystore) undoObject(ctx context.Context, p *proof, keyID string, id hsmpool.ObjectID) error {
	trace := p.trace
	defer func() { p.trace = trace }() // the event is about what failed, not about the undoing
	stored := new(storagev1.KeyRecord)
	if _, err := k.stored(ctx, k.scope.keyPrefix()+keyID, stored); err != nil {
		return fmt.Errorf("the backing key %s was kept, because its record may have been stored: %w", id, err)
	}
	if hasObject(stored, id) {
		return fmt.Errorf("the backing key %s was kept: its record was stored although storing it failed", id)
	}
	_, err := p.destroy(ctx, id)
	return err
}
