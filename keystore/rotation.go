package keystore

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

const (
	// defaultRotationPeriod is in days.
	defaultRotationPeriod = 365
	// maxOnDemandRotations is how often a key may be rotated on demand in its
	// life.
	maxOnDemandRotations = 25
	// rotationGuard is how long before an automatic rotation a key is not rotated
	// on demand any more.
	rotationGuard = 20 * time.Minute
)

// EnableKeyRotation lets a key be rotated each time a period has passed, first
// after one period. A key that is rotated by the same period already keeps its
// date; another period begins now.
func (k *Keystore) EnableKeyRotation(ctx context.Context, req *kmsv1.EnableKeyRotationRequest) (*kmsv1.EnableKeyRotationResponse, error) {
	days := int32(defaultRotationPeriod)
	if req.RotationPeriodInDays != nil {
		days = req.GetRotationPeriodInDays()
	}
	return changeKey(ctx, k, kmsv1.KeyManagementService_EnableKeyRotation_FullMethodName, req, keyChange[*kmsv1.EnableKeyRotationResponse]{
		check: rotationSwitchable,
		apply: func(r *storagev1.KeyRecord) {
			if old := r.GetRotation(); old.GetEnabled() && old.GetPeriodInDays() == days {
				return
			}
			r.Rotation = &storagev1.RotationRecord{Enabled: new(true), PeriodInDays: &days, Next: timestamppb.New(k.now().Add(inDays(days)))}
		},
		answer: func(*key) *kmsv1.EnableKeyRotationResponse { return new(kmsv1.EnableKeyRotationResponse) },
	})
}

// DisableKeyRotation ends the automatic rotation of a key. One that is not
// rotated automatically stays so.
func (k *Keystore) DisableKeyRotation(ctx context.Context, req *kmsv1.DisableKeyRotationRequest) (*kmsv1.DisableKeyRotationResponse, error) {
	return changeKey(ctx, k, kmsv1.KeyManagementService_DisableKeyRotation_FullMethodName, req, keyChange[*kmsv1.DisableKeyRotationResponse]{
		check: rotationSwitchable,
		apply: func(r *storagev1.KeyRecord) {
			if r.Rotation != nil {
				r.Rotation.Enabled, r.Rotation.Next = new(false), nil
			}
		},
		answer: func(*key) *kmsv1.DisableKeyRotationResponse { return new(kmsv1.DisableKeyRotationResponse) },
	})
}

// GetKeyRotationStatus says whether a key is rotated automatically, and when
// next. A key that is to be deleted is not.
func (k *Keystore) GetKeyRotationStatus(ctx context.Context, req *kmsv1.GetKeyRotationStatusRequest) (*kmsv1.GetKeyRotationStatusResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_GetKeyRotationStatus_FullMethodName, req, plan[*kmsv1.GetKeyRotationStatusResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		check: onKey(func(k *key) error {
			return ofOrigin(k, awsKMS)
		}),
		run: func(_ context.Context, p *proof) (*kmsv1.GetKeyRotationStatusResponse, error) {
			r, on := p.key.record.GetRotation(), p.key.rotation() && !p.key.pendingDeletion()
			res := &kmsv1.GetKeyRotationStatusResponse{KeyId: &p.key.arn, KeyRotationEnabled: &on}
			if on {
				res.RotationPeriodInDays, res.NextRotationDate = r.PeriodInDays, r.Next
			}
			return res, nil
		},
	})
}

// RotateKeyOnDemand gives a key new material before it answers; of a key with
// imported material the one that was imported for it. Automatic rotations stay
// when they are.
func (k *Keystore) RotateKeyOnDemand(ctx context.Context, req *kmsv1.RotateKeyOnDemandRequest) (*kmsv1.RotateKeyOnDemandResponse, error) {
	var r *storagev1.KeyRecord
	return perform(ctx, k, kmsv1.KeyManagementService_RotateKeyOnDemand_FullMethodName, req, plan[*kmsv1.RotateKeyOnDemandResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		check:   onKey(k.rotatableOnDemand),
		change: func(found []target) audit.Intent {
			i := audit.Intent{KeyARN: found[0].key.arn}
			r = k.rotated(found[0].key, kmsv1.RotationType_ROTATION_TYPE_ON_DEMAND)
			if !isImported(found[0].key) {
				i.BackingKeyID = newestID(r).String()
			}
			return i
		},
		run: func(ctx context.Context, p *proof) (*kmsv1.RotateKeyOnDemandResponse, error) {
			if err := k.storeRotated(ctx, p, p.key, r); err != nil {
				return nil, err
			}
			return &kmsv1.RotateKeyOnDemandResponse{KeyId: &p.key.arn}, nil
		},
	})
}

// rotationSwitchable says whether a key's automatic rotation may be switched on
// and off. What a key is comes before its state.
func rotationSwitchable(k *key) error {
	if err := ofSymmetricSpec(k); err != nil {
		return err
	}
	if err := ofOrigin(k, awsKMS); err != nil {
		return err
	}
	if err := refuseDisabled(k); err != nil {
		return err
	}
	return refuseIn(k, creating, pendingDeletion, pendingReplicaDeletion)
}

// rotatableOnDemand says whether a key may be rotated on demand now.
func (k *Keystore) rotatableOnDemand(key *key) error {
	if err := rotationListable(key); err != nil {
		return err
	}
	if err := refuseDisabled(key); err != nil {
		return err
	}
	if err := refuseIn(key, creating, pendingDeletion, pendingReplicaDeletion, pendingImport, unavailable); err != nil {
		return err
	}
	if onDemandRotations(key) >= maxOnDemandRotations {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED,
			"The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: %s", key.arn)
	}
	if key.rotation() && !k.now().Add(rotationGuard).Before(key.nextRotation()) {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_CONFLICT,
			"An automatic rotation of %s is in progress or scheduled to begin within the next %d minutes.", key.arn, rotationGuard/time.Minute)
	}
	if isImported(key) && pendingMaterial(key.record) < 0 {
		return invalidState("%s has no imported key material that is pending rotation.", key.arn)
	}
	return nil
}

// rotationListable says whether a key is of those that can be rotated at all.
func rotationListable(k *key) error {
	if err := ofSymmetricSpec(k); err != nil {
		return err
	}
	return ofOrigin(k, awsKMS, external)
}

// ofSymmetricSpec refuses a key that is no symmetric encryption key.
func ofSymmetricSpec(k *key) error {
	if spec := k.record.GetKeySpec(); spec != kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION,
			"%s key spec is %s which is not valid for this operation.", k.arn, describe.WireName(spec))
	}
	return nil
}

// ofOrigin refuses a key whose material is of none of the origins.
func ofOrigin(k *key, origins ...kmsv1.OriginType) error {
	if origin := k.record.GetOrigin(); !slices.Contains(origins, origin) {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION,
			"%s origin is %s which is not valid for this operation.", k.arn, describe.WireName(origin))
	}
	return nil
}

func isImported(k *key) bool {
	return k.record.GetOrigin() == external
}

// onDemandRotations counts them over the key's whole life.
func onDemandRotations(k *key) (n int) {
	for _, b := range k.record.GetBackingKeys() {
		if b.GetRotationType() == kmsv1.RotationType_ROTATION_TYPE_ON_DEMAND {
			n++
		}
	}
	return n
}

// rotation says whether automatic rotation is on. In some states of the key it
// is put off all the same.
func (k *key) rotation() bool {
	r := k.record.GetRotation()
	return r.GetEnabled() && r.Next != nil
}

// nextRotation is when a key whose automatic rotation is on is due.
func (k *key) nextRotation() time.Time { return k.record.GetRotation().GetNext().AsTime() }

func inDays(n int32) time.Duration { return time.Duration(n) * 24 * time.Hour }
