package cli

import (
	"context"
	"encoding/base64"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type dataKeyPairCmd struct {
	Key              keyName                       `short:"k" placeholder:"KEY" required:"" help:"The id, ARN or alias of the key that encrypts the private key."`
	Spec             choice[kmsv1.DataKeyPairSpec] `placeholder:"SPEC" required:"" help:"The kind of key pair, such as RSA_2048 or ECC_NIST_P256."`
	WithoutPlaintext bool                          `help:"Get the private key only encrypted."`
	encryptionContext
	useFlags
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*dataKeyPairCmd) Help() string {
	return `The private key is PKCS #8 and the public key SubjectPublicKeyInfo, in base64. Store the
encrypted private key; strongroom decrypt gets the plaintext back.

Example:

    strongroom data-key-pair --key $KEY --spec ECC_NIST_P256 --without-plaintext`
}

// Run makes the key pair.
func (c *dataKeyPairCmd) Run(ctx context.Context, p *Process) error {
	pairs, err := c.pairs()
	if err != nil {
		return err
	}
	if c.WithoutPlaintext {
		request := &kmsv1.GenerateDataKeyPairWithoutPlaintextRequest{
			KeyId: c.Key.id(), KeyPairSpec: c.Spec.field(), EncryptionContext: pairs, GrantTokens: c.GrantToken, DryRun: c.dry(),
		}
		return ask(ctx, p, c.requestFlags, kms.GenerateDataKeyPairWithoutPlaintext, request, showEncryptedPair)
	}
	request := &kmsv1.GenerateDataKeyPairRequest{
		KeyId: c.Key.id(), KeyPairSpec: c.Spec.field(), EncryptionContext: pairs, GrantTokens: c.GrantToken, DryRun: c.dry(),
	}
	return ask(ctx, p, c.requestFlags, kms.GenerateDataKeyPair, request, showPair)
}

func showPair(w io.Writer, r *kmsv1.GenerateDataKeyPairResponse) error {
	defer clear(r.GetPrivateKeyPlaintext())
	return pairTable(w, r.GetKeyId(), r.GetPublicKey(), r.GetPrivateKeyPlaintext(), r.GetPrivateKeyCiphertextBlob())
}

func showEncryptedPair(w io.Writer, r *kmsv1.GenerateDataKeyPairWithoutPlaintextResponse) error {
	return pairTable(w, r.GetKeyId(), r.GetPublicKey(), nil, r.GetPrivateKeyCiphertextBlob())
}

func pairTable(w io.Writer, key string, public, plaintext, blob []byte) error {
	return present.Fields(w, []present.Field{
		{Name: "Key", Value: key},
		{Name: "Public", Value: base64.StdEncoding.EncodeToString(public)},
		{Name: "Plaintext", Value: base64.StdEncoding.EncodeToString(plaintext)},
		{Name: "Encrypted", Value: base64.StdEncoding.EncodeToString(blob)},
	})
}
