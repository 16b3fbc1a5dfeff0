package clients

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	sigstore "github.com/sigstore/sigstore/pkg/signature/kms/aws"
)

// What cosign does with --key awskms:///alias/release: it makes the key, signs
// with it, and verifies with nothing but its public key.
func TestSigstore(t *testing.T) {
	inProcess(t)
	ctx := t.Context()

	signer, err := sigstore.LoadSignerVerifier(ctx, "awskms:///alias/release")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.CreateKey(ctx, string(types.CustomerMasterKeySpecEccNistP256)); err != nil {
		t.Fatal(err)
	}
	signed, err := signer.SignMessage(strings.NewReader("release 1.0"))
	if err != nil {
		t.Fatal(err)
	}

	// The public key is what `aws kms get-public-key` gives anybody.
	public, err := newClient().GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: aws.String("alias/release")})
	if err != nil {
		t.Fatal(err)
	}
	key, err := cryptoutils.UnmarshalPEMToPublicKey(cryptoutils.PEMEncode(cryptoutils.PublicKeyPEMType, public.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := signature.LoadDefaultVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.VerifySignature(bytes.NewReader(signed), strings.NewReader("release 1.0")); err != nil {
		t.Errorf("the signature does not verify: %v", err)
	}
	if err := verifier.VerifySignature(bytes.NewReader(signed), strings.NewReader("release 1.1")); err == nil {
		t.Error("it verifies for another release")
	}
}
