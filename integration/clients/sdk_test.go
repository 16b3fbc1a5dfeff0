package clients

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// newClient is what the tests themselves use the server with.
func newClient() *kms.Client {
	return kms.New(kms.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
}

// newKey makes a key and returns its ARN.
func newKey(t *testing.T) string {
	t.Helper()
	made, err := newClient().CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	return *made.KeyMetadata.Arn
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
	sealed, err := client.Encrypt(ctx, &kms.EncryptInput{
		KeyId: made.KeyMetadata.Arn, Plaintext: []byte("attack at dawn"), EncryptionContext: tenant,
	})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: tenant})
	if err != nil {
		t.Fatal(err)
	}

	if string(opened.Plaintext) != "attack at dawn" {
		t.Errorf("it decrypts to %q", opened.Plaintext)
	}
	_, err = client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	if wrong := new(types.InvalidCiphertextException); !errors.As(err, &wrong) {
		t.Errorf("without its context it decrypts, or gives %v", err)
	}
}
