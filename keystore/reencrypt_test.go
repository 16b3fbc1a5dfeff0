package keystore

import (
	"context"
	"strings"
	"testing"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func TestReEncryptMovesACiphertextToAnotherKeyAndContext(t *testing.T) {
	t.Parallel()
	s := startService(t)
	from, to := s.createKey(), s.createKey()
	s.must(s.createAlias("alias/to", to.KeyId))
	before, after := map[string]string{"stage": "test"}, map[string]string{"stage": "prod"}
	sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: from.KeyId, Plaintext: []byte("plain text"), EncryptionContext: before})
	s.must(err)
	res, err := s.ReEncrypt(s.as(app), &kmsv1.ReEncryptRequest{
		CiphertextBlob: sealed.CiphertextBlob, SourceEncryptionContext: before,
		DestinationKeyId: new("alias/to"), DestinationEncryptionContext: after,
	})
	s.must(err)
	if res.GetSourceKeyId() != from.GetArn() || res.GetKeyId() != to.GetArn() ||
		res.GetSourceKeyMaterialId() != from.GetCurrentKeyMaterialId() || res.GetDestinationKeyMaterialId() != to.GetCurrentKeyMaterialId() {
		t.Errorf("the answer is %v", res)
	}
	e := s.lastEvent()
	if len(e.Resources) != 2 || e.Resources[0].ARN != from.GetArn() || e.Resources[1].ARN != to.GetArn() || e.ResponseElements != nil {
		t.Errorf("the event is %+v", e)
	}
	if e.AdditionalEventData["sourceKeyMaterialId"] != from.GetCurrentKeyMaterialId() || e.AdditionalEventData["destinationKeyMaterialId"] != to.GetCurrentKeyMaterialId() {
		t.Errorf("the event's additional data are %v", e.AdditionalEventData)
	}
	opened, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: res.CiphertextBlob, KeyId: to.KeyId, EncryptionContext: after})
	s.must(err)
	if string(opened.Plaintext) != "plain text" {
		t.Error("the plaintext is another one")
	}
}

// TestReEncryptRefusals is the table of what ReEncrypt refuses.
func TestReEncryptRefusals(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, other, off, lost := s.createKey(), s.createKey(), s.createKey(), s.createKey()
	_, err := s.pool.Destroy(t.Context(), s.materialOf(lost))
	s.must(err)
	sealed, err := s.encrypt(key.GetKeyId())
	s.must(err)
	ofOff, err := s.encrypt(off.GetKeyId())
	s.must(err)
	_, err = s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: off.KeyId})
	s.must(err)
	reEncrypt := func(req *kmsv1.ReEncryptRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.ReEncrypt(ctx, req); return err }
	}
	wrong, long := map[string]string{"stage": "prod"}, map[string]string{"k": strings.Repeat("v", 8192)}
	rsa := kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_1.Enum()
	s.checkRefusals(t, []refusal{
		{"auditor", auditor, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: other.KeyId}), "ACCESS_DENIED", "kms:ReEncryptFrom on resource: " + key.GetArn()},
		{"no destination", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed}), "VALIDATION", "at 'destinationKeyId'"},
		{"garbage", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: []byte("x"), DestinationKeyId: other.KeyId}), "INVALID_CIPHERTEXT", "not one that this service made"},
		{"wrong context", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: other.KeyId, SourceEncryptionContext: wrong}), "INVALID_CIPHERTEXT", key.GetArn()},
		{"wrong source", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, SourceKeyId: other.KeyId, DestinationKeyId: other.KeyId}), "INCORRECT_KEY", other.GetArn()},
		{"unknown destination", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: new("alias/none")}), "NOT_FOUND", "alias/none is not found."},
		{"disabled source", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: ofOff, DestinationKeyId: other.KeyId}), "DISABLED", off.GetArn() + " is disabled."},
		{"disabled destination", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: off.KeyId}), "DISABLED", off.GetArn() + " is disabled."},
		{"algorithm of the source", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: other.KeyId, SourceEncryptionAlgorithm: rsa}), "INVALID_KEY_USAGE", "RSAES_OAEP_SHA_1"},
		{"algorithm of the destination", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: other.KeyId, DestinationEncryptionAlgorithm: rsa}), "INVALID_KEY_USAGE", "RSAES_OAEP_SHA_1"},
		{"source context too long", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: other.KeyId, SourceEncryptionContext: long}), "VALIDATION", "at 'sourceEncryptionContext'"},
		{"destination context too long", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: other.KeyId, DestinationEncryptionContext: long}), "VALIDATION", "at 'destinationEncryptionContext'"},
		{"destination without its material", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: lost.KeyId}), "KMS_INVALID_STATE", "The HSM of key " + lost.GetArn() + " does not have its key material " + lost.GetCurrentKeyMaterialId()},
		{"dry run", app, reEncrypt(&kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: other.KeyId, DryRun: new(true)}), "DRY_RUN_OPERATION", "would have succeeded"},
	})
}
