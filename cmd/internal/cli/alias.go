package cli

import (
	"context"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type aliasCmd struct {
	Create aliasCreateCmd `cmd:"" help:"Give a key a name."`
	Update aliasUpdateCmd `cmd:"" help:"Let an alias name another key."`
	Delete aliasDeleteCmd `cmd:"" help:"Remove an alias; its key stays."`
	List   aliasListCmd   `cmd:"" help:"List the aliases."`
}

type aliasCreateCmd struct {
	Alias aliasName `arg:"" help:"The new name; it begins with alias/."`
	Key   keyID     `arg:"" help:"The id or ARN of the key."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*aliasCreateCmd) Help() string {
	return `Commands that use a key, and key describe, take an alias for it; commands that manage
a key want its id or ARN. A key may have 50 aliases.

Examples:

    strongroom alias create alias/payroll $KEY
    strongroom encrypt --key alias/payroll secret.txt`
}

// Run creates the alias.
func (c *aliasCreateCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.CreateAliasRequest{AliasName: c.Alias.name(), TargetKeyId: c.Key.id()}
	return change(ctx, p, c.requestFlags, kms.CreateAlias, request, "%s names key %s.", c.Alias, c.Key)
}

type aliasUpdateCmd struct {
	Alias aliasName `arg:"" help:"The alias."`
	Key   keyID     `arg:"" help:"The id or ARN of the key that it names from now on."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*aliasUpdateCmd) Help() string {
	return `What was encrypted before can still be decrypted: a ciphertext names its key itself.`
}

// Run lets the alias name another key.
func (c *aliasUpdateCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.UpdateAliasRequest{AliasName: c.Alias.name(), TargetKeyId: c.Key.id()}
	return change(ctx, p, c.requestFlags, kms.UpdateAlias, request, "%s names key %s from now on.", c.Alias, c.Key)
}

type aliasDeleteCmd struct {
	Alias aliasName `arg:"" help:"The alias."`
	requestFlags
}

// Run removes the alias.
func (c *aliasDeleteCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.DeleteAliasRequest{AliasName: c.Alias.name()}
	return change(ctx, p, c.requestFlags, kms.DeleteAlias, request, "%s is removed; its key is as it was.", c.Alias)
}

type aliasListCmd struct {
	Key *keyID `short:"k" placeholder:"KEY" help:"Only the aliases of the key with this id or ARN."`
	output
	connection
}

// Run prints all aliases, however many pages they take.
func (c *aliasListCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		aliases, err := listAliases(ctx, client, (*string)(c.Key))
		if err != nil {
			return err
		}
		all := &kmsv1.ListAliasesResponse{Aliases: aliases, Truncated: new(bool)}
		return c.print(p, all, func(w io.Writer) error {
			rows := make([][]string, len(aliases))
			for i, a := range aliases {
				rows[i] = []string{a.GetAliasName(), a.GetTargetKeyId(), present.Time(a.GetLastUpdatedDate())}
			}
			return present.Table(w, []string{"ALIAS", "KEY ID", "SINCE"}, rows)
		})
	})
}

func listAliases(ctx context.Context, client *connect.Client, key *string) (all []*kmsv1.AliasListEntry, err error) {
	err = pages(func(marker *string) (page, error) {
		answer, err := client.KMS.ListAliases(ctx, &kmsv1.ListAliasesRequest{KeyId: key, Limit: new(int32(100)), Marker: marker})
		all = append(all, answer.GetAliases()...)
		return answer, err
	})
	return all, err
}
