package cli

import (
	"context"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type reencryptCmd struct {
	Input      string   `arg:"" optional:"" default:"-" help:"The file with the ciphertext, in base64 or as it is; - is standard input."`
	Key        keyName  `short:"k" placeholder:"KEY" required:"" help:"The id, ARN or alias of the key to encrypt under."`
	From       keyName  `placeholder:"KEY" help:"Refuse a ciphertext of another key than this id, ARN or alias."`
	NewContext []string `sep:"none" xor:"new-context" placeholder:"NAME=VALUE" help:"A pair of the new ciphertext's encryption context; may be repeated. Without it the context stays as it is."`
	NoContext  bool     `xor:"new-context" help:"Give the new ciphertext no encryption context."`
	Raw        bool     `help:"Print the ciphertext's bytes instead of base64."`

	FromAlgorithm choice[kmsv1.EncryptionAlgorithmSpec] `placeholder:"ALGORITHM" help:"How the input was encrypted, as of --algorithm, which is about the output."`
	encryptionAlgorithm
	encryptionContext
	useFlags
	bytesOutput
	connection
}

// Help is part of kong's HelpProvider.
func (*reencryptCmd) Help() string {
	return `The plaintext does not leave the server. What file seal has sealed cannot be re-encrypted:
open it and seal it again.

Examples:

    strongroom reencrypt --key alias/new --context user=alice secret.b64
    strongroom reencrypt --key $KEY --context user=alice --new-context user=bob secret.bin -o new.bin`
}

// Run re-encrypts the input.
func (c *reencryptCmd) Run(ctx context.Context, p *Process) error {
	source, destination, err := c.contexts()
	if err != nil {
		return err
	}
	input, err := readCiphertext(p, c.Input)
	if err != nil {
		return err
	}
	request := &kmsv1.ReEncryptRequest{
		CiphertextBlob: input, SourceEncryptionContext: source,
		DestinationKeyId: c.Key.id(), DestinationEncryptionContext: destination,
		SourceEncryptionAlgorithm: c.FromAlgorithm.field(), DestinationEncryptionAlgorithm: c.Algorithm.field(),
		GrantTokens: c.GrantToken, DryRun: c.dry(),
	}
	if c.From != "" {
		request.SourceKeyId = c.From.id()
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.ReEncrypt(ctx, request)
		if err != nil {
			return err
		}
		return c.writeText(p, answer.GetCiphertextBlob(), c.Raw)
	})
}

// contexts returns the encryption contexts of the input and of the output.
func (c *reencryptCmd) contexts() (source, destination map[string]string, err error) {
	if source, err = c.pairs(); err != nil {
		return nil, nil, err
	}
	switch {
	case c.NoContext:
		return source, nil, nil
	case len(c.NewContext) == 0:
		return source, source, nil
	}
	destination, err = parsePairs("--new-context", c.NewContext)
	return source, destination, err
}
