package clients

import (
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/wrappers/awskms/v2"
)

// What Vault and OpenBao do with the seal "awskms": they keep their root key
// wrapped, and unwrap it when they start.
func TestAutoUnseal(t *testing.T) {
	inProcess(t)
	ctx := t.Context()
	keyARN, rootKey := newKey(t), []byte("0123456789abcdef0123456789abcdef")
	if _, err := newClient().CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/unseal"), TargetKeyId: &keyARN}); err != nil {
		t.Fatal(err)
	}
	settings := settingsOf(t, "seal.hcl")

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

// settingsOf returns what a stanza of a configuration file sets, with the endpoint
// of the server under test.
func settingsOf(t *testing.T, file string) map[string]string {
	t.Helper()
	settings := make(map[string]string)
	for _, line := range regexp.MustCompile(`(?m)^ +(\w+) += "(.*)"$`).FindAllStringSubmatch(read(t, file), -1) {
		settings[line[1]] = strings.ReplaceAll(line[2], documented, endpoint)
	}
	if len(settings) != 3 {
		t.Fatalf("%s sets %v", file, settings)
	}
	return settings
}
