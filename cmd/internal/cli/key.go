package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyCmd struct {
	Create   keyCreateCmd   `cmd:"" help:"Create a key in the HSM."`
	List     keyListCmd     `cmd:"" help:"List the keys."`
	Describe keyDescribeCmd `cmd:"" help:"Describe a key."`

	PublicKey keyPublicKeyCmd `cmd:"" help:"Get the public key of a key pair, in PEM."`

	UpdateDescription keyUpdateDescriptionCmd `cmd:"" help:"Replace the description of a key."`

	Enable  keyEnableCmd  `cmd:"" help:"Let a disabled key be used again."`
	Disable keyDisableCmd `cmd:"" help:"Keep a key from being used."`

	ScheduleDeletion keyScheduleDeletionCmd `cmd:"" help:"Destroy a key after a waiting period."`
	CancelDeletion   keyCancelDeletionCmd   `cmd:"" help:"Keep a key whose deletion is scheduled."`
}

type keyCreateCmd struct {
	Description string `help:"What the key is for; up to 8,192 characters."`
	Quiet       bool   `short:"q" help:"Print only the key's ARN."`
	output
	connection
}

// Help is part of kong's HelpProvider.
func (*keyCreateCmd) Help() string {
	return `The key is an AES-256 key that is generated in the HSM and cannot leave it.

Examples:

    strongroom key create --description "customer records"
    KEY=$(strongroom key create --quiet)`
}

// Run creates the key.
func (c *keyCreateCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		request := &kmsv1.CreateKeyRequest{}
		if c.Description != "" {
			request.Description = &c.Description
		}
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

type keyListCmd struct {
	output
	connection
}

// Run prints all keys, however many pages they take.
func (c *keyListCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		keys, err := listKeys(ctx, client)
		if err != nil {
			return err
		}
		all := &kmsv1.ListKeysResponse{Keys: keys, Truncated: new(bool)}
		return c.print(p, all, func(w io.Writer) error {
			rows := make([][]string, len(keys))
			for i, k := range keys {
				rows[i] = []string{k.GetKeyId(), k.GetKeyArn()}
			}
			return present.Table(w, []string{"KEY ID", "ARN"}, rows)
		})
	})
}

func listKeys(ctx context.Context, client *connect.Client) (all []*kmsv1.KeyListEntry, err error) {
	err = pages(func(marker *string) (page, error) {
		answer, err := client.KMS.ListKeys(ctx, &kmsv1.ListKeysRequest{Limit: new(int32(1000)), Marker: marker})
		all = append(all, answer.GetKeys()...)
		return answer, err
	})
	return all, err
}

type keyDescribeCmd struct {
	Key keyName `arg:"" help:"The key's id, ARN or alias."`
	requestFlags
}

// Run prints the key's metadata.
func (c *keyDescribeCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.DescribeKeyRequest{KeyId: c.Key.id()}
	return ask(ctx, p, c.requestFlags, kms.DescribeKey, request, func(w io.Writer, r *kmsv1.DescribeKeyResponse) error {
		return showKey(w, r.GetKeyMetadata())
	})
}

func showKey(w io.Writer, k *kmsv1.KeyMetadata) error {
	return present.Fields(w, []present.Field{
		{Name: "ARN", Value: k.GetArn()},
		{Name: "State", Value: present.Enum(k.GetKeyState())},
		{Name: "Deletion", Value: present.Time(k.GetDeletionDate())},
		{Name: "Spec", Value: present.Enum(k.GetKeySpec())},
		{Name: "Usage", Value: present.Enum(k.GetKeyUsage())},
		{Name: "Origin", Value: present.Enum(k.GetOrigin())},
		{Name: "Created", Value: present.Time(k.GetCreationDate())},
		{Name: "Cluster", Value: k.GetCloudHsmClusterId()},
		{Name: "Material", Value: k.GetCurrentKeyMaterialId()},
		{Name: "Description", Value: k.GetDescription()},
	})
}
