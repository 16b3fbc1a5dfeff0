package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// signing is the flags that sign and verify have both.
type signing struct {
	Input     string                             `arg:"" optional:"" default:"-" help:"The file with the message; - is standard input."`
	Key       keyName                            `short:"k" placeholder:"KEY" required:"" help:"The key's id, ARN or alias."`
	Algorithm choice[kmsv1.SigningAlgorithmSpec] `short:"a" placeholder:"ALGORITHM" required:"" help:"One of those that key public-key --json lists, such as ECDSA_SHA_256."`
	Digest    bool                               `help:"The message is a digest, as bytes, made with the algorithm's hash."`
	useFlags
}

// message returns the message and what it is.
func (s *signing) message(p *Process) ([]byte, *kmsv1.MessageType, error) {
	kind := kmsv1.MessageType_MESSAGE_TYPE_RAW
	if s.Digest {
		kind = kmsv1.MessageType_MESSAGE_TYPE_DIGEST
	}
	message, err := readMessage(p, s.Input, ", the most that is signed: make a digest of it, and use --digest")
	return message, &kind, err
}

type signCmd struct {
	signing
	Raw bool `help:"Print the signature's bytes instead of base64."`
	bytesOutput
	connection
}

// Help is part of kong's HelpProvider.
func (*signCmd) Help() string {
	return `Examples:

    strongroom sign --key $KEY --algorithm ECDSA_SHA_256 contract.txt -o contract.sig
    openssl dgst -sha256 -binary big.iso | strongroom sign --key $KEY -a ECDSA_SHA_256 --digest`
}

// Run signs the message.
func (c *signCmd) Run(ctx context.Context, p *Process) error {
	message, kind, err := c.message(p)
	if err != nil {
		return err
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.Sign(ctx, &kmsv1.SignRequest{
			KeyId: c.Key.id(), Message: message, MessageType: kind, SigningAlgorithm: c.Algorithm.field(),
			GrantTokens: c.GrantToken, DryRun: c.dry(),
		})
		if err != nil {
			return err
		}
		return c.writeText(p, answer.GetSignature(), c.Raw)
	})
}

type verifyCmd struct {
	signing
	Signature string `short:"s" placeholder:"FILE" required:"" help:"The file with the signature, in base64 or as it is."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*verifyCmd) Help() string {
	return `The exit status is 0 only if the signature is valid. One that is not is an error,
KMSInvalidSignatureException.

Example:

    strongroom verify --key $KEY --algorithm ECDSA_SHA_256 --signature contract.sig contract.txt`
}

// Run verifies the signature.
func (c *verifyCmd) Run(ctx context.Context, p *Process) error {
	signature, err := readSignature(p, "--signature", c.Signature, c.Input)
	if err != nil {
		return err
	}
	message, kind, err := c.message(p)
	if err != nil {
		return err
	}
	request := &kmsv1.VerifyRequest{
		KeyId: c.Key.id(), Message: message, MessageType: kind, Signature: signature, SigningAlgorithm: c.Algorithm.field(),
		GrantTokens: c.GrantToken, DryRun: c.dry(),
	}
	return ask(ctx, p, c.requestFlags, kms.Verify, request, func(w io.Writer, r *kmsv1.VerifyResponse) error {
		return valid(w, "signature", r.GetSignatureValid())
	})
}

// valid says that something is valid. What is not is an error of the server's;
// an answer that does not say so is none.
func valid(w io.Writer, what string, yes bool) error {
	if !yes {
		return fmt.Errorf("the server does not say that the %s is valid", what)
	}
	_, err := fmt.Fprintf(w, "The %s is valid.\n", what)
	return err
}
