package cli

import (
	"context"
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

	Tag   keyTagCmd   `cmd:"" help:"Give a key tags."`
	Untag keyUntagCmd `cmd:"" help:"Take tags away from a key."`
	Tags  keyTagsCmd  `cmd:"" help:"List the tags of a key."`

	Policy    keyPolicyCmd    `cmd:"" help:"Read and replace the key policy."`
	Rotation  keyRotationCmd  `cmd:"" help:"Rotate keys, by themselves and now."`
	Import    keyImportCmd    `cmd:"" help:"Import key material that was made elsewhere."`
	LastUsage keyLastUsageCmd `cmd:"" help:"Say when a key was last used."`

	Enable  keyEnableCmd  `cmd:"" help:"Let a disabled key be used again."`
	Disable keyDisableCmd `cmd:"" help:"Keep a key from being used."`

	ScheduleDeletion keyScheduleDeletionCmd `cmd:"" help:"Destroy a key after a waiting period."`
	CancelDeletion   keyCancelDeletionCmd   `cmd:"" help:"Keep a key whose deletion is scheduled."`
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
	grantTokens
	requestFlags
}

// Run prints the key's metadata.
func (c *keyDescribeCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.DescribeKeyRequest{KeyId: c.Key.id(), GrantTokens: c.GrantToken}
	return ask(ctx, p, c.requestFlags, kms.DescribeKey, request, func(w io.Writer, r *kmsv1.DescribeKeyResponse) error {
		return showKey(w, r.GetKeyMetadata())
	})
}

func showKey(w io.Writer, k *kmsv1.KeyMetadata) error {
	return present.Fields(w, []present.Field{
		{Name: "ARN", Value: k.GetArn()},
		{Name: "State", Value: present.Enum(k.GetKeyState())},
		{Name: "Deletion", Value: present.Time(k.GetDeletionDate())},
		{Name: "Expires", Value: present.Time(k.GetValidTo())},
		{Name: "Spec", Value: present.Enum(k.GetKeySpec())},
		{Name: "Usage", Value: present.Enum(k.GetKeyUsage())},
		{Name: "Origin", Value: present.Enum(k.GetOrigin())},
		{Name: "Created", Value: present.Time(k.GetCreationDate())},
		{Name: "Key store", Value: k.GetCustomKeyStoreId()},
		{Name: "Cluster", Value: k.GetCloudHsmClusterId()},
		{Name: "Material", Value: k.GetCurrentKeyMaterialId()},
		{Name: "Description", Value: k.GetDescription()},
	})
}
