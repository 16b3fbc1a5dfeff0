package cli

import (
	"context"
	"encoding/pem"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type deriveCmd struct {
	PublicKey string  `arg:"" optional:"" default:"-" help:"The file with the other side's public key, in PEM or DER; - is standard input."`
	Key       keyName `short:"k" placeholder:"KEY" required:"" help:"The id, ARN or alias of a key for KEY_AGREEMENT."`
	Raw       bool    `help:"Print the secret's bytes instead of base64."`
	useFlags
	bytesOutput
	connection
}

// Help is part of kong's HelpProvider.
func (*deriveCmd) Help() string {
	return `The secret is the x coordinate that ECDH gives: make keys of it with a key derivation
function, do not use it as one.

Example:

    strongroom derive --key $KEY theirs.pem -o secret.bin`
}

// Run derives the secret.
func (c *deriveCmd) Run(ctx context.Context, p *Process) error {
	public, err := readInput(p, c.PublicKey)
	if err != nil {
		return err
	}
	if block, _ := pem.Decode(public); block != nil {
		public = block.Bytes
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.DeriveSharedSecret(ctx, &kmsv1.DeriveSharedSecretRequest{
			KeyId: c.Key.id(), PublicKey: public,
			KeyAgreementAlgorithm: kmsv1.KeyAgreementAlgorithmSpec_KEY_AGREEMENT_ALGORITHM_SPEC_ECDH.Enum(),
			GrantTokens:           c.GrantToken, DryRun: c.dry(),
		})
		if err != nil {
			return err
		}
		defer clear(answer.GetSharedSecret())
		return c.writeText(p, answer.GetSharedSecret(), c.Raw)
	})
}
