package keystore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// rotateEvery switches the automatic rotation of a key on; 0 days: by the
// default period.
func (s *service) rotateEvery(id *string, days int32) {
	s.t.Helper()
	req := &kmsv1.EnableKeyRotationRequest{KeyId: id}
	if days != 0 {
		req.RotationPeriodInDays = &days
	}
	_, err := s.EnableKeyRotation(s.as(admin), req)
	s.must(err)
}

func (s *service) rotateOnDemand(id *string) error {
	_, err := s.RotateKeyOnDemand(s.as(admin), &kmsv1.RotateKeyOnDemandRequest{KeyId: id})
	return err
}

func (s *service) rotationStatus(id *string) *kmsv1.GetKeyRotationStatusResponse {
	s.t.Helper()
	res, err := s.GetKeyRotationStatus(s.as(admin), &kmsv1.GetKeyRotationStatusRequest{KeyId: id})
	s.must(err)
	return res
}

// rotationsOf lists the rotations of a key, some at a time.
func (s *service) rotationsOf(id *string, include kmsv1.IncludeKeyMaterial, limit int32) (all []*kmsv1.RotationsListEntry) {
	s.t.Helper()
	req := &kmsv1.ListKeyRotationsRequest{KeyId: id, IncludeKeyMaterial: include.Enum(), Limit: &limit}
	for {
		res, err := s.ListKeyRotations(s.as(admin), req)
		s.must(err)
		all = append(all, res.GetRotations()...)
		if !res.GetTruncated() {
			return all
		}
		req.Marker = res.NextMarker
	}
}

// change changes a key's record behind the service's back.
func (s *service) change(id *string, change func(*storagev1.KeyRecord)) {
	s.t.Helper()
	key := s.byKeyID(*id)().key
	r := proto.CloneOf(key.record)
	change(r)
	revision, err := replaceValue(s.t.Context(), s.store, s.scope.keyPath(key.id), r, key.revision)
	s.must(err)
	s.must(s.view.reach(s.t.Context(), revision))
}

const (
	onlyRotations = kmsv1.IncludeKeyMaterial_INCLUDE_KEY_MATERIAL_ROTATIONS_ONLY
	allMaterial   = kmsv1.IncludeKeyMaterial_INCLUDE_KEY_MATERIAL_ALL_KEY_MATERIAL
)

func TestTheStatusOfRotationFollowsItsSwitches(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	id := s.createKey().KeyId
	expect := func(what string, days int32, next time.Time) {
		t.Helper()
		got := s.rotationStatus(id)
		early := next.Sub(got.GetNextRotationDate().AsTime()).Abs()
		if got.GetKeyRotationEnabled() != (days > 0) || got.GetRotationPeriodInDays() != days || days > 0 && early > time.Minute || (got.NextRotationDate != nil) != (days > 0) {
			t.Errorf("%s: %v, want a rotation every %d days, next on %v", what, got, days, next)
		}
	}
	expect("a new key", 0, time.Time{})
	s.rotateEvery(id, 0)
	begin := c.now()
	expect("enabled", 365, begin.Add(365*day))
	c.advance(5 * day)
	s.rotateEvery(id, 365)
	expect("enabled again", 365, begin.Add(365*day))
	s.rotateEvery(id, 90)
	expect("by another period", 90, c.now().Add(90*day))
	_, err := s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: id})
	s.must(err)
	expect("of a disabled key", 90, c.now().Add(90*day))
	s.schedule(id)
	expect("of a key that is to be deleted", 0, time.Time{})
	_, err = s.CancelKeyDeletion(s.as(admin), &kmsv1.CancelKeyDeletionRequest{KeyId: id})
	s.must(err)
	expect("of a key that is not to be deleted any more", 90, c.now().Add(90*day))
	_, err = s.EnableKey(s.as(admin), &kmsv1.EnableKeyRequest{KeyId: id})
	s.must(err)
	for range 2 {
		_, err = s.DisableKeyRotation(s.as(admin), &kmsv1.DisableKeyRotationRequest{KeyId: id})
		s.must(err)
		expect("switched off", 0, time.Time{})
	}
}

// TestAKeyRotatedAsOftenAsItMayBe decrypts all that it ever encrypted until it is
// deleted with all its material, and nothing afterwards.
func TestAKeyRotatedAsOftenAsItMayBe(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	key := s.createKey()
	id, materials := key.KeyId, map[hsmpool.ObjectID]bool{}
	var sealed [][]byte
	encrypt := func() {
		b, err := s.encrypt(*id)
		s.must(err)
		sealed, materials[hsmpool.ObjectID(b[17:33])] = append(sealed, b), true
	}
	encrypt()
	for n := range maxOnDemandRotations {
		s.must(s.rotateOnDemand(id))
		encrypt()
		if n == 11 {
			s.stop()
			s.start()
		}
	}
	if err := s.rotateOnDemand(id); err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED {
		t.Errorf("the rotation after the last one: %v", err)
	}
	if len(materials) != maxOnDemandRotations+1 {
		t.Fatalf("the key had %d materials", len(materials))
	}
	s.expectDecrypted(sealed)
	if got := s.rotationsOf(id, onlyRotations, 4); len(got) != maxOnDemandRotations {
		t.Errorf("%d rotations are listed", len(got))
	}

	s.schedule(id)
	c.advance(pastTheWindow)
	s.poke()
	s.awaitGone(*id)
	for m := range materials {
		if _, err := s.pool.Seal(t.Context(), m, []byte("x"), nil); err == nil {
			t.Errorf("the material %v is still in the token", m)
		}
	}
	for _, b := range sealed {
		_, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: b})
		if err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED {
			t.Errorf("decrypting what the deleted key encrypted: %v", err)
		}
		_, err = s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: b, KeyId: id})
		if err == nil || AsError(err).Message != fmt.Sprintf("Key '%s' does not exist", key.GetArn()) {
			t.Errorf("decrypting under the deleted key: %v", err)
		}
	}
	s.must(s.atRest(t.Context(), func(context.Context) error { s.expectOneTruth(); return nil }))
}

// expectDecrypted expects that what encrypt has encrypted is decrypted.
func (s *service) expectDecrypted(sealed [][]byte) {
	s.t.Helper()
	for i, b := range sealed {
		if res, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: b}); err != nil || string(res.GetPlaintext()) != "x" {
			s.t.Errorf("ciphertext %d: %v", i, err)
		}
	}
}

// TestMaterialThatIsListed has all that there can be of a key whose material is
// made here.
func TestMaterialThatIsListed(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	id := s.createKey().KeyId
	if got := s.rotationsOf(id, onlyRotations, 10); len(got) != 0 {
		t.Errorf("the rotations of a new key are %v", got)
	}
	s.must(s.rotateOnDemand(id))
	s.must(s.renewNow(s.as(admin), id)) // silently
	s.rotateEvery(id, 90)
	c.advance(91 * day)
	s.poke()
	s.awaitEvent(rotateKey, 2)
	none, onDemand, automatic := kmsv1.RotationType(0), kmsv1.RotationType_ROTATION_TYPE_ON_DEMAND, kmsv1.RotationType_ROTATION_TYPE_AUTOMATIC
	for _, limit := range []int32{1, 2, 3, 4, 5} {
		s.expectListed(s.rotationsOf(id, onlyRotations, limit), onDemand, automatic)
		s.expectListed(s.rotationsOf(id, allMaterial, limit), none, onDemand, none, automatic)
	}
	k := s.byKeyID(*id)().key
	if last := s.rotationsOf(id, onlyRotations, 5)[1]; last.GetKeyMaterialId() != materialID(k.current()) || last.GetKeyId() != k.arn ||
		c.now().Sub(last.GetRotationDate().AsTime()).Abs() > time.Minute {
		t.Errorf("the last rotation is %v", last)
	}
}

// expectListed expects rotations of some types, and that the last one's material
// is the current one.
func (s *service) expectListed(got []*kmsv1.RotationsListEntry, want ...kmsv1.RotationType) {
	s.t.Helper()
	if len(got) != len(want) {
		s.t.Fatalf("listed are %v, want the types %v", got, want)
	}
	for i, e := range got {
		state := kmsv1.KeyMaterialState_KEY_MATERIAL_STATE_NON_CURRENT
		if i == len(got)-1 {
			state = kmsv1.KeyMaterialState_KEY_MATERIAL_STATE_CURRENT
		}
		if e.GetRotationType() != want[i] || (e.RotationDate != nil) != (want[i] != 0) || e.GetKeyMaterialState() != state || e.ImportState != nil || e.ExpirationModel != nil {
			s.t.Errorf("entry %d is %v, want the type %v and the state %v", i, e, want[i], state)
		}
	}
}

// TestRotationRefusals is the table of what the operations on rotation refuse.
func TestRotationRefusals(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	key, off, doomed, soon := s.createKey(), s.createKey(), s.createKey(), s.createKey()
	_, err := s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: off.KeyId})
	s.must(err)
	s.schedule(doomed.KeyId)
	s.rotateEvery(soon.KeyId, 90)
	s.change(soon.KeyId, func(r *storagev1.KeyRecord) {
		r.Rotation.Next.Seconds = c.now().Add(rotationGuard - time.Minute).Unix()
	})
	unknown := new("12345678-1234-1234-1234-123456789012")
	enable := func(id *string, days int32) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.EnableKeyRotation(ctx, &kmsv1.EnableKeyRotationRequest{KeyId: id, RotationPeriodInDays: &days})
			return err
		}
	}
	disable := func(id *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.DisableKeyRotation(ctx, &kmsv1.DisableKeyRotationRequest{KeyId: id})
			return err
		}
	}
	rotate := func(id *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.RotateKeyOnDemand(ctx, &kmsv1.RotateKeyOnDemandRequest{KeyId: id})
			return err
		}
	}
	status := func(id *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.GetKeyRotationStatus(ctx, &kmsv1.GetKeyRotationStatusRequest{KeyId: id})
			return err
		}
	}
	list := func(id *string, limit int32, marker *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.ListKeyRotations(ctx, &kmsv1.ListKeyRotationsRequest{KeyId: id, Limit: &limit, Marker: marker})
			return err
		}
	}
	isDisabled, pending := off.GetArn()+" is disabled.", doomed.GetArn()+" is pending deletion."
	s.checkRefusals(t, []refusal{
		{"a user enables", app, enable(key.KeyId, 365), "ACCESS_DENIED", "kms:EnableKeyRotation on resource: " + key.GetArn()},
		{"every 89 days", admin, enable(key.KeyId, 89), "VALIDATION", "Value '89' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value greater than or equal to 90"},
		{"every 2,561 days", admin, enable(key.KeyId, 2561), "VALIDATION", "Member must have value less than or equal to 2560"},
		{"enabling for an unknown key", admin, enable(unknown, 365), "NOT_FOUND", *unknown},
		{"enabling for an alias", admin, enable(new("alias/a"), 365), "NOT_FOUND", "Invalid keyId 'alias/a'"},
		{"enabling for a disabled key", admin, enable(off.KeyId, 365), "DISABLED", isDisabled},
		{"enabling before the deletion", admin, enable(doomed.KeyId, 365), "KMS_INVALID_STATE", pending},
		{"a user disables", app, disable(key.KeyId), "ACCESS_DENIED", "kms:DisableKeyRotation on resource: " + key.GetArn()},
		{"disabling for a disabled key", admin, disable(off.KeyId), "DISABLED", isDisabled},
		{"disabling before the deletion", admin, disable(doomed.KeyId), "KMS_INVALID_STATE", pending},
		{"a user rotates", app, rotate(key.KeyId), "ACCESS_DENIED", "kms:RotateKeyOnDemand on resource: " + key.GetArn()},
		{"rotating a disabled key", admin, rotate(off.KeyId), "DISABLED", isDisabled},
		{"rotating before the deletion", admin, rotate(doomed.KeyId), "KMS_INVALID_STATE", pending},
		{"rotating just before it is due", admin, rotate(soon.KeyId), "CONFLICT", "An automatic rotation of " + soon.GetArn() + " is in progress or scheduled to begin within the next 20 minutes."},
		{"the status of an unknown key", admin, status(unknown), "NOT_FOUND", *unknown},
		{"the rotations of an unknown key", admin, list(unknown, 5, nil), "NOT_FOUND", *unknown},
		{"a page of no rotations", admin, list(key.KeyId, 0, nil), "VALIDATION", "Value '0' at 'limit'"},
		{"a page of 1,001 rotations", admin, list(key.KeyId, 1001, nil), "VALIDATION", "Member must have value less than or equal to 1000"},
		{"a marker of nobody", admin, list(key.KeyId, 5, new("#")), "INVALID_MARKER", "Marker '#' is not one that ListKeyRotations answered."},
		{"a marker of another key", admin, list(key.KeyId, 5, new("AAAAAAAAAAAAAAAAAAAAAA")), "INVALID_MARKER", "ListKeyRotations"},
	})
}

// TestKeysThatCannotBeRotated tries keys of other specs and origins in some
// states: what a key is comes before its state.
func TestKeysThatCannotBeRotated(t *testing.T) {
	t.Parallel()
	unsupported := annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION
	for name, c := range map[string]struct {
		spec                       kmsv1.KeySpec
		origin                     kmsv1.OriginType
		state                      kmsv1.KeyState
		switched, onDemand, listed Kind
		message                    string // of whether it may be switched
	}{
		"RSA":            {kmsv1.KeySpec_KEY_SPEC_RSA_2048, kmsv1.OriginType_ORIGIN_TYPE_AWS_KMS, enabled, unsupported, unsupported, unsupported, " key spec is RSA_2048 which is not valid for this operation."},
		"disabled HMAC":  {kmsv1.KeySpec_KEY_SPEC_HMAC_256, kmsv1.OriginType_ORIGIN_TYPE_AWS_KMS, disabled, unsupported, unsupported, unsupported, " key spec is HMAC_256 which is not valid for this operation."},
		"in a store":     {kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT, kmsv1.OriginType_ORIGIN_TYPE_AWS_CLOUDHSM, unavailable, unsupported, unsupported, unsupported, " origin is AWS_CLOUDHSM which is not valid for this operation."},
		"imported":       {kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT, kmsv1.OriginType_ORIGIN_TYPE_EXTERNAL, enabled, unsupported, wrongState, ok, " origin is EXTERNAL which is not valid for this operation."},
		"to be imported": {kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT, kmsv1.OriginType_ORIGIN_TYPE_EXTERNAL, pendingImport, unsupported, wrongState, ok, " origin is EXTERNAL which is not valid for this operation."},
		"creating":       {kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT, kmsv1.OriginType_ORIGIN_TYPE_AWS_KMS, creating, wrongState, wrongState, ok, " is creating."},
		"updating":       {kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT, kmsv1.OriginType_ORIGIN_TYPE_AWS_KMS, updating, ok, ok, ok, ""},
	} {
		t.Run(name, func(t *testing.T) {
			k := &key{arn: "arn", record: &storagev1.KeyRecord{KeySpec: &c.spec, Origin: &c.origin, State: &c.state}}
			switched, onDemand, listed := rotationSwitchable(k), (&Keystore{now: time.Now}).rotatableOnDemand(k), rotationListable(k)
			if answerOf(switched) != c.switched || answerOf(onDemand) != c.onDemand || answerOf(listed) != c.listed {
				t.Errorf("switching: %v; on demand: %v; listing: %v", switched, onDemand, listed)
			}
			if switched != nil && AsError(switched).Message != k.arn+c.message {
				t.Errorf("it is refused so: %v", switched)
			}
		})
	}
}

// answerOf is the kind of an answer.
func answerOf(err error) Kind {
	if err == nil {
		return ok
	}
	return AsError(err).Kind
}
