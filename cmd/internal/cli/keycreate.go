package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyCreateCmd struct {
	Description string                     `help:"What the key is for; up to 8,192 characters."`
	Spec        choice[kmsv1.KeySpec]      `placeholder:"SPEC" help:"The kind of key, such as RSA_2048, ECC_NIST_P256 or HMAC_256; without it SYMMETRIC_DEFAULT."`
	Usage       choice[kmsv1.KeyUsageType] `placeholder:"USAGE" help:"ENCRYPT_DECRYPT (the default), SIGN_VERIFY, GENERATE_VERIFY_MAC or KEY_AGREEMENT."`
	Origin      choice[kmsv1.OriginType]   `xor:"origin" placeholder:"ORIGIN" help:"AWS_KMS (the default): made in the HSM. EXTERNAL: to be imported."`
	KeyStore    keyStoreID                 `xor:"origin" placeholder:"ID" help:"The custom key store in whose HSMs the key is made; its origin is AWS_CLOUDHSM then."`
	Tag         []string                   `sep:"none" placeholder:"NAME=VALUE" help:"A tag of the key; may be repeated. Tags are not secret."`
	Policy      string                     `placeholder:"FILE" help:"The key policy, in JSON; - is standard input. Without it the account's identity policies decide."`
	Quiet       bool                       `short:"q" help:"Print only the key's ARN."`
	lockout
	output
	connection
}

// Help is part of kong's HelpProvider.
func (*keyCreateCmd) Help() string {
	return `Without --spec the key is an AES-256 key. It is generated in the HSM and cannot leave it.

Examples:

    strongroom key create --description "customer records" --tag team=billing
    KEY=$(strongroom key create --quiet)
    strongroom key create --spec ECC_NIST_P256 --usage SIGN_VERIFY --policy signers.json
    strongroom key create --key-store $STORE`
}

// Run creates the key.
func (c *keyCreateCmd) Run(ctx context.Context, p *Process) error {
	request, err := c.request(p)
	if err != nil {
		return err
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.CreateKey(ctx, request)
		if err != nil {
			return err
		}
		if c.Quiet {
			_, err := fmt.Fprintln(p.Stdout, answer.GetKeyMetadata().GetArn())
			return err
		}
		return c.print(p, answer, func(w io.Writer) error { return showKey(w, answer.GetKeyMetadata()) })
	})
}

func (c *keyCreateCmd) request(p *Process) (*kmsv1.CreateKeyRequest, error) {
	tags, err := parseTags("--tag", c.Tag)
	if err != nil {
		return nil, err
	}
	request := &kmsv1.CreateKeyRequest{
		KeySpec: c.Spec.field(), KeyUsage: c.Usage.field(), Origin: c.Origin.field(),
		Tags: tags, BypassPolicyLockoutSafetyCheck: c.bypass(),
	}
	if c.Description != "" {
		request.Description = &c.Description
	}
	if c.KeyStore != "" {
		request.CustomKeyStoreId, request.Origin = c.KeyStore.id(), kmsv1.OriginType_ORIGIN_TYPE_AWS_CLOUDHSM.Enum()
	}
	if c.Policy != "" {
		request.Policy, err = readPolicy(p, c.Policy)
	}
	return request, err
}
