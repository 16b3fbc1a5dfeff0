package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"

	"github.com/strongroom-kms/strongroom/client"
	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/sealfile"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// maxPlaintext is the most that the API encrypts in one request, in bytes.
const maxPlaintext = 4096

// encryptionAlgorithm is the flag of commands that encrypt or decrypt.
type encryptionAlgorithm struct {
	Algorithm choice[kmsv1.EncryptionAlgorithmSpec] `short:"a" placeholder:"ALGORITHM" help:"SYMMETRIC_DEFAULT (the default) or, of RSA keys, RSAES_OAEP_SHA_1 or RSAES_OAEP_SHA_256."`
}

type encryptCmd struct {
	Input string  `arg:"" optional:"" default:"-" help:"The file to encrypt; - is standard input."`
	Key   keyName `short:"k" placeholder:"KEY" required:"" help:"The key's id, ARN or alias."`
	Raw   bool    `help:"Print the ciphertext's bytes instead of base64."`
	encryptionAlgorithm
	encryptionContext
	useFlags
	bytesOutput
	connection
}

// Help is part of kong's HelpProvider.
func (*encryptCmd) Help() string {
	return `The ciphertext names its key, so that decrypt need not be told; that of an RSA key does not, and
has no encryption context.

Examples:

    echo -n 'hunter2' | strongroom encrypt --key $KEY --context user=alice
    strongroom encrypt --key $KEY secret.txt -o secret.bin
    strongroom encrypt --key alias/rsa --algorithm RSAES_OAEP_SHA_256 secret.txt`
}

// Run encrypts the input.
func (c *encryptCmd) Run(ctx context.Context, p *Process) error {
	pairs, err := c.pairs()
	if err != nil {
		return err
	}
	plaintext, err := readInput(p, c.Input)
	if err != nil {
		return err
	}
	defer clear(plaintext)
	if len(plaintext) > maxPlaintext {
		return usagef("the input is longer than 4,096 bytes, the most that encrypt takes; `strongroom file seal` encrypts files of any size")
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{
			KeyId: c.Key.id(), Plaintext: plaintext, EncryptionContext: pairs, EncryptionAlgorithm: c.Algorithm.field(),
			GrantTokens: c.GrantToken, DryRun: c.dry(),
		})
		if err != nil {
			return err
		}
		return c.writeText(p, answer.GetCiphertextBlob(), c.Raw)
	})
}

type decryptCmd struct {
	Input string  `arg:"" optional:"" default:"-" help:"The file with the ciphertext, in base64 or as it is; - is standard input."`
	Key   keyName `short:"k" placeholder:"KEY" help:"Refuse a ciphertext of another key than this id, ARN or alias. An RSA key has to be named."`
	encryptionAlgorithm
	encryptionContext
	useFlags
	bytesOutput
	connection
}

// Help is part of kong's HelpProvider.
func (*decryptCmd) Help() string {
	return `Examples:

    strongroom decrypt --context user=alice secret.b64
    strongroom decrypt secret.bin -o secret.txt
    strongroom decrypt --key alias/rsa --algorithm RSAES_OAEP_SHA_256 secret.b64`
}

// Run decrypts the input.
func (c *decryptCmd) Run(ctx context.Context, p *Process) error {
	pairs, err := c.pairs()
	if err != nil {
		return err
	}
	input, err := readCiphertext(p, c.Input)
	if err != nil {
		return err
	}
	request := &kmsv1.DecryptRequest{
		CiphertextBlob: input, EncryptionContext: pairs, EncryptionAlgorithm: c.Algorithm.field(),
		GrantTokens: c.GrantToken, DryRun: c.dry(),
	}
	if c.Key != "" {
		request.KeyId = c.Key.id()
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.Decrypt(ctx, request)
		if err != nil {
			return c.hinted(err)
		}
		defer clear(answer.GetPlaintext())
		return c.write(p, answer.GetPlaintext())
	})
}

// hinted says what may be missing where a server takes for damage that a
// ciphertext does not name its key, as that of an RSA key does not.
func (c *decryptCmd) hinted(err error) error {
	refused, ok := client.AsError(err)
	if !ok || refused.Name != "InvalidCiphertextException" || c.Key != "" {
		return err
	}
	return fmt.Errorf("%w; the ciphertext of an RSA key needs --key and --algorithm", err)
}

// readCiphertext reads a ciphertext blob that is in base64 or as it is.
func readCiphertext(p *Process, path string) ([]byte, error) {
	input, err := readInput(p, path)
	if err != nil {
		return nil, err
	}
	if err := checkCiphertext(input); err != nil {
		return nil, err
	}
	return ciphertext(input), nil
}

// checkCiphertext refuses what no server needs to see to know that it is not a
// ciphertext.
func checkCiphertext(input []byte) error {
	switch {
	case sealfile.IsSealed(input):
		return usagef("the input is a sealed file: `strongroom file open` decrypts it")
	case len(input) > maxInput:
		return usagef("the input is longer than %d bytes, so it is no ciphertext; `strongroom file open` decrypts sealed files", maxInput)
	}
	return nil
}

// ciphertext returns a ciphertext blob that is in base64, perhaps with line
// breaks, or as it is. A blob as it is cannot be taken for base64: its first
// byte is its format version, a control character.
func ciphertext(input []byte) []byte {
	compact := bytes.Join(bytes.Fields(input), nil)
	if b, err := base64.StdEncoding.DecodeString(string(compact)); err == nil {
		return b
	}
	return input
}
