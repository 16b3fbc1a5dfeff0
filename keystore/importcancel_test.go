package keystore

import (
	"bytes"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// TestCancellingTheDeletionOfAKeyWithoutMaterial leaves a key that awaits its material, not a
// disabled one, which could be enabled without having any.
func TestCancellingTheDeletionOfAKeyWithoutMaterial(t *testing.T) {
	t.Parallel()
	s := startService(t)
	never, deleted, complete := s.awaitingKey(aKeySpec, encryptDecrypt), s.awaitingKey(aKeySpec, encryptDecrypt), s.awaitingKey(aKeySpec, encryptDecrypt)
	for _, key := range []*kmsv1.KeyMetadata{deleted, complete} {
		s.importInto(key.KeyId, wrapSHA1, bytes.Repeat([]byte{7}, 32))
	}
	_, err := s.DeleteImportedKeyMaterial(s.as(admin), &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: deleted.KeyId})
	s.must(err)
	for key, want := range map[*kmsv1.KeyMetadata]kmsv1.KeyState{never: pendingImport, deleted: pendingImport, complete: disabled} {
		s.schedule(key.KeyId)
		_, err := s.CancelKeyDeletion(s.as(admin), &kmsv1.CancelKeyDeletionRequest{KeyId: key.KeyId})
		s.must(err)
		if got := s.state(key.KeyId); got != want {
			t.Errorf("the key is %v, want %v", got, want)
		}
	}
}

// TestMaterialThatExpiresBeforeTheKeyIsDeleted is destroyed at its time, and the key deleted
// at its own.
func TestMaterialThatExpiresBeforeTheKeyIsDeleted(t *testing.T) {
	t.Parallel()
	s, clock := startClocked(t)
	key := s.awaitingKey(aKeySpec, encryptDecrypt)
	req := s.wrap(key.KeyId, wrapSHA1, bytes.Repeat([]byte{7}, 32))
	req.ExpirationModel, req.ValidTo = nil, timestamppb.New(clock.now().Add(time.Hour))
	_, err := s.ImportKeyMaterial(s.as(admin), req)
	s.must(err)
	s.schedule(key.KeyId)
	clock.advance(2 * time.Hour)
	s.createKey() // a change has the clock looked at
	if e := s.awaitEvent(deleteExpired, 1); e.ErrorCode != "" {
		t.Errorf("the event is %+v", e)
	}
	if got := s.describe(*key.KeyId); got.GetKeyState() != pendingDeletion || got.DeletionDate == nil {
		t.Errorf("the key is %v", got)
	}
	s.expectOneTruth()
	clock.advance(31 * day)
	s.createKey()
	s.awaitGone(*key.KeyId)
}
