package clients

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// newClient is what a program does that is told where to go by its environment.
func newClient(t *testing.T) *kms.Client {
	t.Helper()
	inProcess(t)
	settings, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return kms.NewFromConfig(settings)
}

func TestGo(t *testing.T) {
	inProcess(t)
	ctx := t.Context()

	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		t.Fatal(err)
	}
	client := kms.NewFromConfig(settings)
	made, err := client.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("payroll")})
	if err != nil {
		t.Fatal(err)
	}
	tenant := map[string]string{"tenant": "acme"}
	sealed, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: made.KeyMetadata.Arn, Plaintext: []byte("attack at dawn"), EncryptionContext: tenant})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: tenant})
	if err != nil || string(opened.Plaintext) != "attack at dawn" {
		t.Errorf("it decrypts to %q, %v", opened.Plaintext, err)
	}

	_, err = client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	if wrong := new(types.InvalidCiphertextException); !errors.As(err, &wrong) {
		t.Errorf("without its context it decrypts, or gives %v", err)
	}
}
