package describe_test

import (
	"bytes"
	"testing"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func TestWipeOverwritesSecretsAndNothingElse(t *testing.T) {
	api := compiled(t)
	secret, blob := []byte("secret"), []byte("blob")
	key := "key"
	api.Wipe(&kmsv1.GenerateDataKeyResponse{Plaintext: secret, CiphertextBlob: blob, KeyId: &key})
	if !bytes.Equal(secret, make([]byte, 6)) {
		t.Errorf("the secret is %q", secret)
	}
	if string(blob) != "blob" || key != "key" {
		t.Errorf("what is not secret was overwritten: %q, %q", blob, key)
	}
	api.Wipe(nil)
	api.Wipe(&kmsv1.GenerateDataKeyResponse{})
}
