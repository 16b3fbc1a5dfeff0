package cli

import (
	"context"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyEnableCmd struct {
	Key keyID `arg:"" help:"The key's id or ARN."`
	requestFlags
}

// Run enables the key.
func (c *keyEnableCmd) Run(ctx context.Context, p *Process) error {
	return change(ctx, p, c.requestFlags, kms.EnableKey, &kmsv1.EnableKeyRequest{KeyId: c.Key.id()},
		"Key %s is enabled.", c.Key)
}

type keyDisableCmd struct {
	Key keyID `arg:"" help:"The key's id or ARN."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*keyDisableCmd) Help() string {
	return `A disabled key neither encrypts nor decrypts, for anybody, until key enable. Nothing is
lost: disable a key to see who still needs it before you schedule its deletion.

Example:

    strongroom key disable $KEY`
}

// Run disables the key.
func (c *keyDisableCmd) Run(ctx context.Context, p *Process) error {
	return change(ctx, p, c.requestFlags, kms.DisableKey, &kmsv1.DisableKeyRequest{KeyId: c.Key.id()},
		"Key %s is disabled: it cannot be used until `strongroom key enable`.", c.Key)
}

type keyUpdateDescriptionCmd struct {
	Key         keyID  `arg:"" help:"The key's id or ARN."`
	Description string `arg:"" help:"What the key is for; up to 8,192 characters. \"\" takes the description away."`
	requestFlags
}

// Run replaces the key's description.
func (c *keyUpdateDescriptionCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.UpdateKeyDescriptionRequest{KeyId: c.Key.id(), Description: &c.Description}
	return change(ctx, p, c.requestFlags, kms.UpdateKeyDescription, request, "Key %s has its new description.", c.Key)
}
