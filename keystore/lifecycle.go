package keystore

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// The waiting period before a key is deleted, in days.
const (
	minPendingWindow     = 7
	maxPendingWindow     = 30
	defaultPendingWindow = maxPendingWindow
)

// EnableKey lets a key be used. An enabled key stays so.
func (k *Keystore) EnableKey(ctx context.Context, req *kmsv1.EnableKeyRequest) (*kmsv1.EnableKeyResponse, error) {
	return changeKey(ctx, k, kmsv1.KeyManagementService_EnableKey_FullMethodName, req, keyChange[*kmsv1.EnableKeyResponse]{
		check:  switchable,
		apply:  func(r *storagev1.KeyRecord) { r.State = enabled.Enum() },
		answer: func(*key) *kmsv1.EnableKeyResponse { return new(kmsv1.EnableKeyResponse) },
	})
}

// DisableKey keeps a key from being used. A disabled key stays so.
func (k *Keystore) DisableKey(ctx context.Context, req *kmsv1.DisableKeyRequest) (*kmsv1.DisableKeyResponse, error) {
	return changeKey(ctx, k, kmsv1.KeyManagementService_DisableKey_FullMethodName, req, keyChange[*kmsv1.DisableKeyResponse]{
		check:  switchable,
		apply:  func(r *storagev1.KeyRecord) { r.State = disabled.Enum() },
		answer: func(*key) *kmsv1.DisableKeyResponse { return new(kmsv1.DisableKeyResponse) },
	})
}

// UpdateKeyDescription replaces a key's description.
func (k *Keystore) UpdateKeyDescription(ctx context.Context, req *kmsv1.UpdateKeyDescriptionRequest) (*kmsv1.UpdateKeyDescriptionResponse, error) {
	return changeKey(ctx, k, kmsv1.KeyManagementService_UpdateKeyDescription_FullMethodName, req, keyChange[*kmsv1.UpdateKeyDescriptionResponse]{
		check:  describable,
		apply:  func(r *storagev1.KeyRecord) { r.Description = new(req.GetDescription()) },
		answer: func(*key) *kmsv1.UpdateKeyDescriptionResponse { return new(kmsv1.UpdateKeyDescriptionResponse) },
	})
}

// ScheduleKeyDeletion makes a key unusable at once; when the waiting period is
// over, the key is deleted (see deleteDueKeys).
func (k *Keystore) ScheduleKeyDeletion(ctx context.Context, req *kmsv1.ScheduleKeyDeletionRequest) (*kmsv1.ScheduleKeyDeletionResponse, error) {
	days := int32(defaultPendingWindow)
	if req.PendingWindowInDays != nil {
		days = req.GetPendingWindowInDays()
	}
	return changeKey(ctx, k, kmsv1.KeyManagementService_ScheduleKeyDeletion_FullMethodName, req, keyChange[*kmsv1.ScheduleKeyDeletionResponse]{
		check: func(k *key) error {
			if err := checkPendingWindow(days); err != nil {
				return err
			}
			return schedulable(k)
		},
		apply: func(r *storagev1.KeyRecord) {
			due := k.now().Add(time.Duration(days) * 24 * time.Hour)
			r.State, r.DeletionDate, r.PendingWindowInDays = pendingDeletion.Enum(), timestamppb.New(due), &days
		},
		answer: func(k *key) *kmsv1.ScheduleKeyDeletionResponse {
			return &kmsv1.ScheduleKeyDeletionResponse{
				KeyId: &k.arn, DeletionDate: k.record.DeletionDate, KeyState: k.record.State, PendingWindowInDays: &days,
			}
		},
	})
}

// CancelKeyDeletion keeps a key that was to be deleted; it is disabled then, or
// awaits its imported material.
func (k *Keystore) CancelKeyDeletion(ctx context.Context, req *kmsv1.CancelKeyDeletionRequest) (*kmsv1.CancelKeyDeletionResponse, error) {
	return changeKey(ctx, k, kmsv1.KeyManagementService_CancelKeyDeletion_FullMethodName, req, keyChange[*kmsv1.CancelKeyDeletionResponse]{
		check: cancellable,
		apply: func(r *storagev1.KeyRecord) {
			r.State, r.DeletionDate, r.PendingWindowInDays = disabled.Enum(), nil, nil
			if lacksMaterial(r) {
				r.State = pendingImport.Enum()
			}
		},
		answer: func(k *key) *kmsv1.CancelKeyDeletionResponse { return &kmsv1.CancelKeyDeletionResponse{KeyId: &k.arn} },
	})
}

// checkPendingWindow checks a waiting period against what AWS documents; its
// model is wider.
func checkPendingWindow(days int32) error {
	switch {
	case days < minPendingWindow:
		return outOfBounds("pendingWindowInDays", days, "greater", minPendingWindow)
	case days > maxPendingWindow:
		return outOfBounds("pendingWindowInDays", days, "less", maxPendingWindow)
	}
	return nil
}

// outOfBounds is the error of a number that AWS's model lets pass.
func outOfBounds(member string, value int32, than string, bound int) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
		"1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value %s than or equal to %d", value, member, than, bound)
}

// keyChange is what differs between operations that change nothing but a key's
// record.
type keyChange[Res proto.Message] struct {
	check  func(*key) error
	apply  func(*storagev1.KeyRecord)
	answer func(*key) Res // of the key as it is then
}

func changeKey[Res proto.Message](ctx context.Context, k *Keystore, fullMethod string, req interface {
	proto.Message
	GetKeyId() string
}, c keyChange[Res]) (Res, error) {
	return perform(ctx, k, fullMethod, req, plan[Res]{
		targets: on(k.byKeyID(req.GetKeyId())),
		check:   onKey(c.check),
		change:  func(found []target) audit.Intent { return audit.Intent{KeyARN: found[0].key.arn} },
		run: func(ctx context.Context, p *proof) (res Res, err error) {
			r := proto.CloneOf(p.key.record)
			c.apply(r)
			changed, err := k.storeRecord(ctx, p, r, p.key.revision)
			if err != nil {
				return res, notStored(ctx, "key "+p.key.arn, err)
			}
			return c.answer(changed), nil
		},
	})
}
