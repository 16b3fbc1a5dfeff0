package clients

import (
	"testing"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/wrappers/awskms/v2"
)

// What Vault and OpenBao do with the seal "awskms": they keep their root key
// wrapped, and unwrap it when they start.
func TestAutoUnseal(t *testing.T) {
	inProcess(t)
	ctx := t.Context()
	keyARN, rootKey := newKey(t), []byte("0123456789abcdef0123456789abcdef")
	settings := map[string]string{"kms_key_id": keyARN, "region": "us-east-1", "endpoint": endpoint}

	seal := awskms.NewWrapper()
	if _, err := seal.SetConfig(ctx, wrapping.WithConfigMap(settings)); err != nil {
		t.Fatal(err)
	}
	wrapped, err := seal.Encrypt(ctx, rootKey)
	if err != nil {
		t.Fatal(err)
	}

	restarted := awskms.NewWrapper()
	if _, err := restarted.SetConfig(ctx, wrapping.WithConfigMap(settings)); err != nil {
		t.Fatal(err)
	}
	unwrapped, err := restarted.Decrypt(ctx, wrapped)
	if err != nil || string(unwrapped) != string(rootKey) {
		t.Errorf("the root key unwraps to %q, %v", unwrapped, err)
	}
	if wrapped.KeyInfo.KeyId != keyARN {
		t.Errorf("the key that wrapped it is %s, want %s", wrapped.KeyInfo.KeyId, keyARN)
	}
}
