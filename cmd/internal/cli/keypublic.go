package cli

import (
	"context"
	"encoding/pem"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyPublicKeyCmd struct {
	Key keyName `arg:"" help:"The key's id, ARN or alias."`
	grantTokens
	bytesOutput
	output
	connection
}

// Help is part of kong's HelpProvider.
func (*keyPublicKeyCmd) Help() string {
	return `The public key of a key pair, in PEM; with --json also what it is for and its algorithms.

Examples:

    strongroom key public-key $KEY -o public.pem
    openssl dgst -sha256 -verify public.pem -signature contract.sig contract.txt`
}

// Run prints the public key.
func (c *keyPublicKeyCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.GetPublicKey(ctx, &kmsv1.GetPublicKeyRequest{KeyId: c.Key.id(), GrantTokens: c.GrantToken})
		if err != nil {
			return err
		}
		return c.print(p, answer, func(io.Writer) error {
			return c.write(p, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: answer.GetPublicKey()}))
		})
	})
}
