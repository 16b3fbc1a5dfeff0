package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type datakeyCmd struct {
	Key              keyName     `short:"k" placeholder:"KEY" required:"" help:"The id, ARN or alias of the key that encrypts the data key."`
	Spec             dataKeySpec `xor:"length" placeholder:"SPEC" help:"The kind of data key: AES_256 (the default) or AES_128."`
	Bytes            *int32      `xor:"length" placeholder:"N" help:"The length of the data key, 1 to 1,024 bytes, instead of a kind."`
	WithoutPlaintext bool        `help:"Get only the encrypted data key; the HSM worker forgets the other."`
	encryptionContext
	useFlags
	output
	connection
}

// Help is part of kong's HelpProvider.
func (*datakeyCmd) Help() string {
	return `Encrypt your data with the plaintext data key, forget it, and store the
encrypted one with your data. strongroom decrypt gets the plaintext back.

Examples:

    strongroom datakey --key $KEY --json
    strongroom datakey --key $KEY --without-plaintext --bytes 64`
}

// Run makes the data key.
func (c *datakeyCmd) Run(ctx context.Context, p *Process) error {
	pairs, err := c.pairs()
	if err != nil {
		return err
	}
	if err := checkLength("--bytes", c.Bytes); err != nil {
		return err
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		if c.WithoutPlaintext {
			return c.encryptedOnly(ctx, p, client, pairs)
		}
		request := &kmsv1.GenerateDataKeyRequest{KeyId: c.Key.id(), EncryptionContext: pairs, GrantTokens: c.GrantToken, DryRun: c.dry()}
		request.KeySpec, request.NumberOfBytes = c.length()
		answer, err := client.KMS.GenerateDataKey(ctx, request)
		if err != nil {
			return err
		}
		defer clear(answer.GetPlaintext())
		return c.print(p, answer, func(w io.Writer) error {
			return datakeyTable(w, answer.GetKeyId(), answer.GetPlaintext(), answer.GetCiphertextBlob())
		})
	})
}

func (c *datakeyCmd) encryptedOnly(ctx context.Context, p *Process, client *connect.Client, pairs map[string]string) error {
	request := &kmsv1.GenerateDataKeyWithoutPlaintextRequest{
		KeyId: c.Key.id(), EncryptionContext: pairs, GrantTokens: c.GrantToken, DryRun: c.dry(),
	}
	request.KeySpec, request.NumberOfBytes = c.length()
	answer, err := client.KMS.GenerateDataKeyWithoutPlaintext(ctx, request)
	if err != nil {
		return err
	}
	return c.print(p, answer, func(w io.Writer) error {
		return datakeyTable(w, answer.GetKeyId(), nil, answer.GetCiphertextBlob())
	})
}

// length returns the one of the two that the request has.
func (c *datakeyCmd) length() (*kmsv1.DataKeySpec, *int32) {
	if c.Bytes != nil {
		return nil, c.Bytes
	}
	spec := kmsv1.DataKeySpec(c.Spec)
	if spec == kmsv1.DataKeySpec_DATA_KEY_SPEC_UNSPECIFIED {
		spec = kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256
	}
	return &spec, nil
}

// maxLength is the most bytes that the API makes in one request.
const maxLength = 1024

// checkLength refuses a number of bytes that the API would, if there is one.
func checkLength(name string, n *int32) error {
	if n != nil && (*n < 1 || *n > maxLength) {
		return usagef("%s is 1 to 1,024, not %d", name, *n)
	}
	return nil
}

// dataKeySpec is a flag with the API's spelling of a data key spec.
type dataKeySpec kmsv1.DataKeySpec

// UnmarshalText is part of encoding.TextUnmarshaler.
func (s *dataKeySpec) UnmarshalText(text []byte) error {
	switch string(text) {
	case "AES_256":
		*s = dataKeySpec(kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256)
	case "AES_128":
		*s = dataKeySpec(kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_128)
	default:
		return fmt.Errorf("%q is not AES_256 or AES_128", text)
	}
	return nil
}

func datakeyTable(w io.Writer, key string, plaintext, blob []byte) error {
	return present.Fields(w, []present.Field{
		{Name: "Key", Value: key},
		{Name: "Plaintext", Value: base64.StdEncoding.EncodeToString(plaintext)},
		{Name: "Encrypted", Value: base64.StdEncoding.EncodeToString(blob)},
	})
}

type randomCmd struct {
	Bytes    int32      `arg:"" optional:"" default:"32" help:"How many, 1 to 1,024 (${default})."`
	Raw      bool       `help:"Print the bytes instead of base64."`
	KeyStore keyStoreID `placeholder:"ID" help:"The custom key store whose HSMs make the bytes."`
	bytesOutput
	connection
}

// Run gets the random bytes.
func (c *randomCmd) Run(ctx context.Context, p *Process) error {
	if err := checkLength("the number of bytes", &c.Bytes); err != nil {
		return err
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.GenerateRandom(ctx, &kmsv1.GenerateRandomRequest{NumberOfBytes: &c.Bytes, CustomKeyStoreId: c.KeyStore.id()})
		if err != nil {
			return err
		}
		defer clear(answer.GetPlaintext())
		return c.writeText(p, answer.GetPlaintext(), c.Raw)
	})
}
