package cli

import (
	"context"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type macCmd struct {
	Generate macGenerateCmd `cmd:"" help:"Make the authentication code of a message."`
	Verify   macVerifyCmd   `cmd:"" help:"Verify the authentication code of a message."`
}

// macing is the flags that mac generate and mac verify have both.
type macing struct {
	Input     string                         `arg:"" optional:"" default:"-" help:"The file with the message; - is standard input."`
	Key       keyName                        `short:"k" placeholder:"KEY" required:"" help:"The id, ARN or alias of an HMAC key."`
	Algorithm choice[kmsv1.MacAlgorithmSpec] `short:"a" placeholder:"ALGORITHM" required:"" help:"That of the key: HMAC_SHA_224, HMAC_SHA_256, HMAC_SHA_384 or HMAC_SHA_512."`
	useFlags
}

// message reads the message.
func (m *macing) message(p *Process) ([]byte, error) {
	return readMessage(p, m.Input, ", the most that has a code: make a digest of it")
}

type macGenerateCmd struct {
	macing
	Raw bool `help:"Print the code's bytes instead of base64."`
	bytesOutput
	connection
}

// Help is part of kong's HelpProvider.
func (*macGenerateCmd) Help() string {
	return `Example:

    strongroom mac generate --key $KEY --algorithm HMAC_SHA_256 order.json -o order.mac`
}

// Run makes the code.
func (c *macGenerateCmd) Run(ctx context.Context, p *Process) error {
	message, err := c.message(p)
	if err != nil {
		return err
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.GenerateMac(ctx, &kmsv1.GenerateMacRequest{
			KeyId: c.Key.id(), Message: message, MacAlgorithm: c.Algorithm.field(), GrantTokens: c.GrantToken, DryRun: c.dry(),
		})
		if err != nil {
			return err
		}
		return c.writeText(p, answer.GetMac(), c.Raw)
	})
}

type macVerifyCmd struct {
	macing
	MAC string `name:"mac" short:"m" placeholder:"FILE" required:"" help:"The file with the code, in base64 or as it is."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*macVerifyCmd) Help() string {
	return `The exit status is 0 only if the code is valid. One that is not is an error,
KMSInvalidMacException.

Example:

    strongroom mac verify --key $KEY --algorithm HMAC_SHA_256 --mac order.mac order.json`
}

// Run verifies the code.
func (c *macVerifyCmd) Run(ctx context.Context, p *Process) error {
	mac, err := readSignature(p, "--mac", c.MAC, c.Input)
	if err != nil {
		return err
	}
	message, err := c.message(p)
	if err != nil {
		return err
	}
	request := &kmsv1.VerifyMacRequest{
		KeyId: c.Key.id(), Message: message, Mac: mac, MacAlgorithm: c.Algorithm.field(), GrantTokens: c.GrantToken, DryRun: c.dry(),
	}
	return ask(ctx, p, c.requestFlags, kms.VerifyMac, request, func(w io.Writer, r *kmsv1.VerifyMacResponse) error {
		return valid(w, "authentication code", r.GetMacValid())
	})
}
