package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyRotationCmd struct {
	Enable  keyRotationEnableCmd  `cmd:"" help:"Give a key new material from time to time."`
	Disable keyRotationDisableCmd `cmd:"" help:"Stop giving a key new material by itself."`
	Status  keyRotationStatusCmd  `cmd:"" help:"Say whether and when a key is rotated."`
	Now     keyRotationNowCmd     `cmd:"" help:"Give a key new material now."`
	List    keyRotationListCmd    `cmd:"" help:"List the rotations of a key."`
}

type keyRotationEnableCmd struct {
	Key  keyID  `arg:"" help:"The key's id or ARN."`
	Days *int32 `placeholder:"N" help:"The period, 90 to 2,560 days; without it 365, or what it was."`
	requestFlags
}

// Run enables rotation.
func (c *keyRotationEnableCmd) Run(ctx context.Context, p *Process) error {
	if c.Days != nil && (*c.Days < 90 || *c.Days > 2560) {
		return usagef("--days is 90 to 2,560, not %d", *c.Days)
	}
	request := &kmsv1.EnableKeyRotationRequest{KeyId: c.Key.id(), RotationPeriodInDays: c.Days}
	return change(ctx, p, c.requestFlags, kms.EnableKeyRotation, request, "Key %s is rotated from now on.", c.Key)
}

type keyRotationDisableCmd struct {
	Key keyID `arg:"" help:"The key's id or ARN."`
	requestFlags
}

// Run disables rotation.
func (c *keyRotationDisableCmd) Run(ctx context.Context, p *Process) error {
	return change(ctx, p, c.requestFlags, kms.DisableKeyRotation, &kmsv1.DisableKeyRotationRequest{KeyId: c.Key.id()},
		"Key %s is not rotated by itself any more.", c.Key)
}

type keyRotationStatusCmd struct {
	Key keyID `arg:"" help:"The key's id or ARN."`
	requestFlags
}

// Run prints the status.
func (c *keyRotationStatusCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.GetKeyRotationStatusRequest{KeyId: c.Key.id()}
	return ask(ctx, p, c.requestFlags, kms.GetKeyRotationStatus, request, showRotation)
}

func showRotation(w io.Writer, r *kmsv1.GetKeyRotationStatusResponse) error {
	state, period := "off", ""
	if r.GetKeyRotationEnabled() {
		state = "on"
	}
	if r.RotationPeriodInDays != nil {
		period = fmt.Sprintf("%d days", r.GetRotationPeriodInDays())
	}
	return present.Fields(w, []present.Field{
		{Name: "Key", Value: r.GetKeyId()},
		{Name: "Rotation", Value: state},
		{Name: "Period", Value: period},
		{Name: "Next", Value: present.Time(r.GetNextRotationDate())},
		{Name: "Under way since", Value: present.Time(r.GetOnDemandRotationStartDate())},
	})
}

type keyRotationNowCmd struct {
	Key keyID `arg:"" help:"The key's id or ARN."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*keyRotationNowCmd) Help() string {
	return `What was encrypted before stays as it is and can still be decrypted. A key can be rotated
on demand a few times only in its life.`
}

// Run rotates the key.
func (c *keyRotationNowCmd) Run(ctx context.Context, p *Process) error {
	return change(ctx, p, c.requestFlags, kms.RotateKeyOnDemand, &kmsv1.RotateKeyOnDemandRequest{KeyId: c.Key.id()},
		"Key %s is rotated: it encrypts with its new material from now on.", c.Key)
}

type keyRotationListCmd struct {
	Key keyID `arg:"" help:"The key's id or ARN."`
	All bool  `help:"List the key's first material, and material that waits to be used, too."`
	requestFlags
}

// Run prints all rotations of the key.
func (c *keyRotationListCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		rotations, err := c.list(ctx, client)
		if err != nil {
			return err
		}
		all := &kmsv1.ListKeyRotationsResponse{Rotations: rotations, Truncated: new(bool)}
		return c.print(p, all, func(w io.Writer) error {
			rows := make([][]string, len(rotations))
			for i, r := range rotations {
				rows[i] = []string{present.Time(r.GetRotationDate()), present.Enum(r.GetRotationType()), present.Enum(r.GetKeyMaterialState()), r.GetKeyMaterialId()}
			}
			return present.Table(w, []string{"DATE", "TYPE", "STATE", "MATERIAL"}, rows)
		})
	})
}

func (c *keyRotationListCmd) list(ctx context.Context, client *connect.Client) (all []*kmsv1.RotationsListEntry, err error) {
	request := &kmsv1.ListKeyRotationsRequest{KeyId: c.Key.id()}
	if c.All {
		request.IncludeKeyMaterial = kmsv1.IncludeKeyMaterial_INCLUDE_KEY_MATERIAL_ALL_KEY_MATERIAL.Enum()
	}
	err = pages(func(marker *string) (page, error) {
		request.Marker = marker
		answer, err := client.KMS.ListKeyRotations(ctx, request)
		all = append(all, answer.GetRotations()...)
		return answer, err
	})
	return all, err
}
