package keystore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

func TestADueKeyIsRotatedOnTimeAndAgainAPeriodLater(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	key, other := s.createKey(), s.createKey()
	s.rotateEvery(key.KeyId, 90)
	s.rotateEvery(other.KeyId, 91)
	due := s.rotationStatus(key.KeyId).GetNextRotationDate().AsTime()
	var sealed [][]byte
	for n := 1; n <= 3; n++ {
		b, err := s.encrypt(key.GetKeyId())
		s.must(err)
		sealed = append(sealed, b)
		before := s.materialOf(key)
		c.advance(due.Sub(c.now()) - time.Minute)
		s.poke()
		if s.materialOf(key) != before {
			t.Error("a key was rotated too early")
		}
		c.advance(time.Minute + time.Second)
		s.poke()
		s.expectRotated(s.awaitRotation(key, n), key, before)
		if next := s.rotationStatus(key.KeyId).GetNextRotationDate().AsTime(); !next.Equal(due.Add(90 * day)) {
			t.Errorf("rotation %d: the next one is on %v, want %v", n, next, due.Add(90*day))
		}
		due = due.Add(90 * day)
	}
	s.expectDecrypted(sealed)
}

// awaitRotation returns the n-th RotateKey event of a key.
func (s *service) awaitRotation(of *kmsv1.KeyMetadata, n int) event {
	s.t.Helper()
	for seen := 1; ; seen++ {
		if e := s.awaitEvent(rotateKey, seen); e.Resources[0].ARN == of.GetArn() {
			if n--; n == 0 {
				return e
			}
		}
	}
}

// expectRotated expects the event of a rotation from one material to the present
// one.
func (s *service) expectRotated(e event, key *kmsv1.KeyMetadata, from hsmpool.ObjectID) {
	s.t.Helper()
	now := s.materialOf(key)
	if now == from {
		s.t.Error("the material is the same")
	}
	if e.ErrorCode != "" || e.EventType != audit.EventTypeService || e.UserIdentity.InvokedBy != "AWS Internal" || e.AdditionalEventData["backingKeyId"] != now.String() {
		s.t.Errorf("the event is %+v", e)
	}
	want := map[string]any{
		"rotationType": "AUTOMATIC", "keyOrigin": "AWS_KMS", "keyId": key.GetArn(),
		"previousKeyMaterialId": materialID(from), "currentKeyMaterialId": materialID(now),
	}
	if diff := cmp.Diff(want, e.ServiceEventDetails); diff != "" {
		s.t.Errorf("the details of the event (-want +got):\n%s", diff)
	}
}

// TestARotationThatWasPutOffIsMadeUpAtOnce has keys that fall due when they
// cannot be rotated.
func TestARotationThatWasPutOffIsMadeUpAtOnce(t *testing.T) {
	t.Parallel()
	s, clock := startClocked(t)
	enable := func(id *string) {
		_, err := s.EnableKey(s.as(admin), &kmsv1.EnableKeyRequest{KeyId: id})
		s.must(err)
	}
	for name, c := range map[string]struct{ putOff, goOn func(id *string) }{
		"the key is disabled": {func(id *string) {
			_, err := s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: id})
			s.must(err)
		}, enable},
		"the key is to be deleted": {func(id *string) {
			_, err := s.ScheduleKeyDeletion(s.as(admin), &kmsv1.ScheduleKeyDeletionRequest{KeyId: id})
			s.must(err)
		}, func(id *string) {
			_, err := s.CancelKeyDeletion(s.as(admin), &kmsv1.CancelKeyDeletionRequest{KeyId: id})
			s.must(err)
			enable(id)
		}},
		"the service is down": {func(*string) { s.stop() }, func(*string) { s.start() }},
	} {
		t.Run(name, func(t *testing.T) {
			key := s.createKey()
			s.rotateEvery(key.KeyId, 90)
			before := s.materialOf(key)
			clock.advance(80 * day)
			c.putOff(key.KeyId)
			clock.advance(15 * day)
			c.goOn(key.KeyId)
			s.expectRotated(s.awaitRotation(key, 1), key, before)
		})
	}
}

// barrenHSM makes no keys.
type barrenHSM struct{ HSM }

func (h barrenHSM) Generate(_ context.Context, req hsmpool.GenerateRequest) (hsmpool.Generated, error) {
	return hsmpool.Generated{}, &hsmpool.Error{Class: hsmpool.Busy, HSM: "hsm-1", Object: req.ID, Function: "C_GenerateKey", Err: errors.New("it is full")}
}

func TestARotationThatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	key := s.createKey()
	s.rotateEvery(key.KeyId, 90)
	before := s.materialOf(key)
	s.stop()
	c.advance(91 * day)
	s.startWith(func(c *Config) { c.HSM = barrenHSM{s.pool} })
	if e := s.awaitEvent(rotateKey, 1); e.ErrorCode == "" || s.materialOf(key) != before {
		t.Errorf("the event of the rotation that failed is %+v", e)
	}
	if _, err := s.encrypt(key.GetKeyId()); err != nil {
		t.Errorf("encrypting while the key cannot be rotated: %v", err)
	}
	s.stop()
	s.start()
	s.expectRotated(s.awaitRotation(key, 2), key, before)
}

// TestImportedMaterialTakesOver rotates a key whose first material and next one
// were imported, as its record says.
func TestImportedMaterialTakesOver(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	sealed, err := s.encrypt(key.GetKeyId())
	s.must(err)
	next := newBackingKey(timestamppb.Now())
	next.Pending, next.ValidTo = new(true), timestamppb.New(time.Now().Add(day))
	id := hsmpool.ObjectID(next.GetId())
	_, err = s.pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: id, Label: key.GetArn(), Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	s.must(err)
	s.change(key.KeyId, func(r *storagev1.KeyRecord) {
		r.Origin, r.BackingKeys = external.Enum(), append(r.BackingKeys, next)
	})
	first := s.materialOf(key)
	if listed := s.rotationsOf(key.KeyId, allMaterial, 5); first == id || len(listed) != 2 ||
		listed[0].GetKeyMaterialState() != kmsv1.KeyMaterialState_KEY_MATERIAL_STATE_CURRENT ||
		listed[1].GetKeyMaterialState() != kmsv1.KeyMaterialState_KEY_MATERIAL_STATE_PENDING_ROTATION || listed[1].RotationDate != nil ||
		listed[0].GetExpirationModel() != kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_DOES_NOT_EXPIRE ||
		listed[1].GetExpirationModel() != kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_EXPIRES ||
		listed[1].GetImportState() != kmsv1.ImportState_IMPORT_STATE_IMPORTED {
		t.Errorf("before the rotation: %v", listed)
	}
	s.must(s.rotateOnDemand(key.KeyId))
	again, err := s.encrypt(key.GetKeyId())
	s.must(err)
	if hsmpool.ObjectID(again[17:33]) != id {
		t.Error("the material that was to take over does not encrypt")
	}
	s.expectDecrypted([][]byte{sealed, again})
	if listed := s.rotationsOf(key.KeyId, onlyRotations, 5); len(listed) != 1 || listed[0].GetKeyMaterialId() != materialID(id) ||
		listed[0].GetKeyMaterialState() != kmsv1.KeyMaterialState_KEY_MATERIAL_STATE_CURRENT || listed[0].RotationDate == nil {
		t.Errorf("the rotations are %v", listed)
	}
	if err := s.rotateOnDemand(key.KeyId); err == nil || AsError(err).Message != key.GetArn()+" has no imported key material that is pending rotation." {
		t.Errorf("without material that is pending: %v", err)
	}
}

func TestWhenAKeyIsDueAgain(t *testing.T) {
	t.Parallel()
	due := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ late, want time.Duration }{
		"on time":                    {0, 100 * day},
		"a week late":                {7 * day, 100 * day},
		"almost a period late":       {100*day - 1, 100 * day},
		"a period late":              {100 * day, 200 * day},
		"more than two periods late": {250 * day, 350 * day},
	} {
		if got := nextAfter(due, 100, due.Add(c.late)).Sub(due); got != c.want {
			t.Errorf("%s: %v after it was due, want %v", name, got, c.want)
		}
	}
}

// TestTheNextRotation puts keys and takes them away, and expects the one that is
// due first.
func TestTheNextRotation(t *testing.T) {
	t.Parallel()
	r := newRotations()
	keyOf := func(id byte, state kmsv1.KeyState, on bool, at int64) *key {
		return &key{id: uuid.UUID{id}, record: &storagev1.KeyRecord{State: &state, Rotation: &storagev1.RotationRecord{Enabled: &on, Next: &timestamppb.Timestamp{Seconds: at}}}}
	}
	every := func(*key) bool { return true }
	for _, c := range []struct {
		name   string
		do     func()
		wanted func(*key) bool
		want   byte // the key's id; 0: none
	}{
		{"none", func() {}, every, 0},
		{"one that is not rotated", func() { r.put(keyOf(9, enabled, false, 1)) }, every, 0},
		{"one that is disabled", func() { r.put(keyOf(9, disabled, true, 1)) }, every, 0},
		{"the first one", func() { r.put(keyOf(1, enabled, true, 10)) }, every, 1},
		{"a later one", func() { r.put(keyOf(2, enabled, true, 20)) }, every, 1},
		{"an earlier one", func() { r.put(keyOf(3, enabled, true, 5)) }, every, 3},
		{"without the first one", func() {}, func(k *key) bool { return k.id[0] != 3 }, 1},
		{"none is wanted", func() {}, func(*key) bool { return false }, 0},
		{"the first one is put off", func() { r.put(keyOf(3, enabled, true, 15)) }, every, 1},
		{"the first one is disabled", func() { r.put(keyOf(1, disabled, true, 10)) }, every, 3},
		{"the first one is removed", func() { r.remove(uuid.UUID{3}) }, every, 2},
		{"the last one is removed", func() { r.remove(uuid.UUID{2}) }, every, 0},
	} {
		c.do()
		var got byte
		if k := r.next(c.wanted); k != nil {
			got = k.id[0]
		}
		if got != c.want {
			t.Errorf("%s: the next key is %d, want %d", c.name, got, c.want)
		}
	}
}
