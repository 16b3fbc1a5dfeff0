package keystore

import (
	"context"
	"testing"
	"time"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func (s *service) describe(id string) *kmsv1.KeyMetadata {
	s.t.Helper()
	res, err := s.DescribeKey(s.as(app), &kmsv1.DescribeKeyRequest{KeyId: &id})
	s.must(err)
	return res.KeyMetadata
}

func (s *service) encrypt(id string) ([]byte, error) {
	res, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: &id, Plaintext: []byte("x")})
	return res.GetCiphertextBlob(), err
}

func TestADisabledKeyIsNotUsedUntilItIsEnabled(t *testing.T) {
	t.Parallel()
	s := startService(t)
	id := s.createKey().KeyId
	_, err := s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: id})
	s.must(err)
	if k := s.describe(*id); k.GetKeyState() != disabled || k.GetEnabled() {
		t.Errorf("the disabled key is %v", k)
	}
	if e := s.events(); e[len(e)-2].EventName != "DisableKey" || e[len(e)-2].ResponseElements["keyId"] != s.describe(*id).GetArn() {
		t.Errorf("the event is %+v", e[len(e)-2])
	}
	if _, err := s.encrypt(*id); err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_DISABLED {
		t.Errorf("encrypting under a disabled key: %v", err)
	}
	_, err = s.EnableKey(s.as(admin), &kmsv1.EnableKeyRequest{KeyId: id})
	s.must(err)
	if _, err := s.encrypt(*id); err != nil {
		t.Errorf("encrypting under a key that was enabled again: %v", err)
	}
	if k := s.describe(*id); k.GetKeyState() != enabled || !k.GetEnabled() {
		t.Errorf("the enabled key is %v", k)
	}
}

func TestADescriptionIsReplaced(t *testing.T) {
	t.Parallel()
	s := startService(t)
	id := s.createKey().KeyId
	for _, description := range []string{"payroll, 2027", ""} {
		_, err := s.UpdateKeyDescription(s.as(admin), &kmsv1.UpdateKeyDescriptionRequest{KeyId: id, Description: &description})
		s.must(err)
		if got := s.describe(*id).GetDescription(); got != description {
			t.Errorf("the description is %q, want %q", got, description)
		}
	}
}

func TestScheduledDeletionCanBeCancelled(t *testing.T) {
	t.Parallel()
	s := startService(t)
	id := s.createKey().KeyId
	sealed, err := s.encrypt(*id)
	s.must(err)
	before := time.Now()
	res, err := s.ScheduleKeyDeletion(s.as(admin), &kmsv1.ScheduleKeyDeletionRequest{KeyId: id, PendingWindowInDays: new(int32(7))})
	s.must(err)
	due := res.GetDeletionDate().AsTime()
	if due.Before(before.Add(7*24*time.Hour)) || due.After(time.Now().Add(7*24*time.Hour)) || res.GetPendingWindowInDays() != 7 || res.GetKeyState() != pendingDeletion {
		t.Errorf("the answer is %v", res)
	}
	if k := s.describe(*id); k.GetKeyState() != pendingDeletion || !k.GetDeletionDate().AsTime().Equal(due) || k.GetEnabled() {
		t.Errorf("the key is %v", k)
	}
	if _, err := s.encrypt(*id); err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE {
		t.Errorf("encrypting under a key that is to be deleted: %v", err)
	}
	_, err = s.CancelKeyDeletion(s.as(admin), &kmsv1.CancelKeyDeletionRequest{KeyId: id})
	s.must(err)
	if k := s.describe(*id); k.GetKeyState() != disabled || k.DeletionDate != nil {
		t.Errorf("after the cancellation the key is %v", k)
	}
	_, err = s.EnableKey(s.as(admin), &kmsv1.EnableKeyRequest{KeyId: id})
	s.must(err)
	if _, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed}); err != nil {
		t.Errorf("decrypting after the cancellation: %v", err)
	}
}

func TestWaitingPeriodDefaultsToThirtyDays(t *testing.T) {
	t.Parallel()
	s := startService(t)
	res, err := s.ScheduleKeyDeletion(s.as(admin), &kmsv1.ScheduleKeyDeletionRequest{KeyId: s.createKey().KeyId})
	s.must(err)
	if days := time.Until(res.GetDeletionDate().AsTime()) / (24 * time.Hour); days != 29 || res.GetPendingWindowInDays() != 30 {
		t.Errorf("the key is deleted after more than %d days, and the window is %d", days, res.GetPendingWindowInDays())
	}
}

// TestLifecycleRefusals is the table of what these operations refuse.
func TestLifecycleRefusals(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, doomed := s.createKey(), s.createKey()
	_, err := s.ScheduleKeyDeletion(s.as(admin), &kmsv1.ScheduleKeyDeletionRequest{KeyId: doomed.KeyId})
	s.must(err)
	schedule := func(id *string, days *int32) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.ScheduleKeyDeletion(ctx, &kmsv1.ScheduleKeyDeletionRequest{KeyId: id, PendingWindowInDays: days})
			return err
		}
	}
	cancel := func(id *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.CancelKeyDeletion(ctx, &kmsv1.CancelKeyDeletionRequest{KeyId: id})
			return err
		}
	}
	enable := func(id *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.EnableKey(ctx, &kmsv1.EnableKeyRequest{KeyId: id})
			return err
		}
	}
	describe := func(id *string, description *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.UpdateKeyDescription(ctx, &kmsv1.UpdateKeyDescriptionRequest{KeyId: id, Description: description})
			return err
		}
	}
	pending := doomed.GetArn() + " is pending deletion."
	s.checkRefusals(t, []refusal{
		{"user disables", app, func(ctx context.Context) error {
			_, err := s.DisableKey(ctx, &kmsv1.DisableKeyRequest{KeyId: key.KeyId})
			return err
		}, "ACCESS_DENIED", "kms:DisableKey on resource: " + key.GetArn()},
		{"user schedules", app, schedule(key.KeyId, nil), "ACCESS_DENIED", "kms:ScheduleKeyDeletion on resource: " + key.GetArn()},
		{"six days", admin, schedule(key.KeyId, new(int32(6))), "VALIDATION", "Value '6' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value greater than or equal to 7"},
		{"31 days", admin, schedule(key.KeyId, new(int32(31))), "VALIDATION", "Value '31' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value less than or equal to 30"},
		{"scheduled twice", admin, schedule(doomed.KeyId, nil), "KMS_INVALID_STATE", pending},
		{"cancelled without need", admin, cancel(key.KeyId), "KMS_INVALID_STATE", key.GetArn() + " is not pending deletion."},
		{"enabled before its deletion", admin, enable(doomed.KeyId), "KMS_INVALID_STATE", pending},
		{"described before its deletion", admin, describe(doomed.KeyId, new("x")), "KMS_INVALID_STATE", pending},
		{"no description", admin, describe(key.KeyId, nil), "VALIDATION", "at 'description' failed to satisfy constraint: Member must not be null"},
		{"by alias", admin, enable(new("alias/payroll")), "NOT_FOUND", "Invalid keyId 'alias/payroll'"},
		{"unknown key", admin, enable(new("12345678-1234-1234-1234-123456789012")), "NOT_FOUND", "does not exist"},
		{"malformed ARN", admin, enable(new("arn:aws:kms")), "INVALID_ARN", "Invalid arn arn:aws:kms"},
	})
}
