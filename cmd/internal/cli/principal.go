package cli

import (
	"context"
	"io"
	"strings"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type principalCmd struct {
	Put    principalPutCmd    `cmd:"" help:"Make a principal, or replace it."`
	List   principalListCmd   `cmd:"" help:"List the principals."`
	Delete principalDeleteCmd `cmd:"" help:"Delete a principal, whose requests are refused from then on."`

	CreateKey principalCreateKeyCmd `cmd:"" help:"Make an access key, by which AWS clients sign requests."`
	ListKeys  principalListKeysCmd  `cmd:"" help:"List access keys, without their secrets."`
	DeleteKey principalDeleteKeyCmd `cmd:"" help:"Delete an access key, whose requests are refused from then on."`
	RotateKey principalRotateKeyCmd `cmd:"" help:"Make a second access key, which is to replace the first."`
}

type principalPutCmd struct {
	ARN    string   `arg:"" name:"arn" help:"The ARN of a user or role."`
	Name   []string `sep:"none" placeholder:"NAME" help:"A URI or DNS name in the principal's client certificate; may be repeated."`
	Policy []string `sep:"none" placeholder:"POLICY" help:"The name of an identity policy, such as user; may be repeated."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*principalPutCmd) Help() string {
	return `The principal has these names and policies then, and no others. It is known at once, on open
connections too. A principal of the configuration file cannot be replaced.

Example:

    strongroom principal put arn:aws:iam::000000000000:user/alice --name spiffe://corp/alice --policy user`
}

// Run puts the principal.
func (c *principalPutCmd) Run(ctx context.Context, p *Process) error {
	request := &operatorv1.PutPrincipalRequest{Arn: &c.ARN, Names: c.Name, Policies: c.Policy}
	return askOperator(ctx, p, c.requestFlags, operator.PutPrincipal, request, func(w io.Writer, r *operatorv1.PutPrincipalResponse) error {
		return principalTable(w, []*operatorv1.Principal{r.GetPrincipal()})
	})
}

type principalListCmd struct {
	requestFlags
}

// Run prints the principals.
func (c *principalListCmd) Run(ctx context.Context, p *Process) error {
	return askOperator(ctx, p, c.requestFlags, operator.ListPrincipals, new(operatorv1.ListPrincipalsRequest), func(w io.Writer, r *operatorv1.ListPrincipalsResponse) error {
		return principalTable(w, r.GetPrincipals())
	})
}

type principalDeleteCmd struct {
	ARN string `arg:"" name:"arn" help:"The principal's ARN."`
	requestFlags
}

// Run deletes the principal.
func (c *principalDeleteCmd) Run(ctx context.Context, p *Process) error {
	request := &operatorv1.DeletePrincipalRequest{Arn: &c.ARN}
	return changeOperator(ctx, p, c.requestFlags, operator.DeletePrincipal, request, "Principal %s is deleted.", c.ARN)
}

func principalTable(w io.Writer, principals []*operatorv1.Principal) error {
	rows := make([][]string, len(principals))
	for i, r := range principals {
		from := "stored"
		if r.GetConfigured() {
			from = "configuration"
		}
		rows[i] = []string{r.GetArn(), strings.Join(r.GetPolicies(), " "), from, strings.Join(r.GetNames(), " ")}
	}
	return present.Table(w, []string{"ARN", "POLICIES", "FROM", "CERTIFICATE NAMES"}, rows)
}
