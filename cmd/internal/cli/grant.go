package cli

import (
	"context"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type grantCmd struct {
	Create        grantCreateCmd        `cmd:"" help:"Let somebody use a key."`
	List          grantListCmd          `cmd:"" help:"List the grants of a key."`
	ListRetirable grantListRetirableCmd `cmd:"" help:"List the grants that a principal may retire."`
	Retire        grantRetireCmd        `cmd:"" help:"Give up a grant that is yours."`
	Revoke        grantRevokeCmd        `cmd:"" help:"Take a grant back."`
}

type grantCreateCmd struct {
	Key           keyID                          `arg:"" help:"The key's id or ARN."`
	Grantee       string                         `placeholder:"ARN" required:"" help:"Who may use the key."`
	Operation     []choice[kmsv1.GrantOperation] `placeholder:"OPERATION" required:"" help:"What the grantee may do, such as Encrypt,Decrypt; may be repeated."`
	Retiring      string                         `placeholder:"ARN" help:"Who may retire the grant."`
	Name          string                         `help:"A name: the same grant made again with it is the same grant."`
	ContextEquals []string                       `sep:"none" placeholder:"NAME=VALUE" help:"Allow only this encryption context; may be repeated."`
	ContextSubset []string                       `sep:"none" placeholder:"NAME=VALUE" help:"Allow only encryption contexts with this pair; may be repeated."`
	useFlags
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*grantCreateCmd) Help() string {
	return `Example:

    strongroom grant create $KEY --grantee arn:aws:iam::000000000000:user/alice --operation Encrypt,Decrypt --context-subset team=billing`
}

// Run creates the grant.
func (c *grantCreateCmd) Run(ctx context.Context, p *Process) error {
	constraints, err := c.constraints()
	if err != nil {
		return err
	}
	request := &kmsv1.CreateGrantRequest{
		KeyId: c.Key.id(), GranteePrincipal: &c.Grantee, RetiringPrincipal: given(c.Retiring), Name: given(c.Name), Constraints: constraints,
		GrantTokens: c.GrantToken, DryRun: c.dry(),
	}
	for _, o := range c.Operation {
		request.Operations = append(request.Operations, o.value)
	}
	return ask(ctx, p, c.requestFlags, kms.CreateGrant, request, func(w io.Writer, r *kmsv1.CreateGrantResponse) error {
		return present.Fields(w, []present.Field{{Name: "Grant", Value: r.GetGrantId()}, {Name: "Token", Value: r.GetGrantToken()}})
	})
}

func (c *grantCreateCmd) constraints() (*kmsv1.GrantConstraints, error) {
	equals, err := parsePairs("--context-equals", c.ContextEquals)
	if err != nil {
		return nil, err
	}
	subset, err := parsePairs("--context-subset", c.ContextSubset)
	if err != nil || len(equals)+len(subset) == 0 {
		return nil, err
	}
	return &kmsv1.GrantConstraints{EncryptionContextEquals: equals, EncryptionContextSubset: subset}, nil
}

// given returns the field of a request for a flag; nil for one that is not there.
func given(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

type grantRetireCmd struct {
	Token string `xor:"which" placeholder:"TOKEN" help:"The grant's token, instead of its key and id."`
	Key   keyID  `short:"k" xor:"which" placeholder:"ARN" help:"The ARN of the grant's key."`
	Grant string `placeholder:"ID" help:"The grant's id."`
	dryRun
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*grantRetireCmd) Help() string {
	return `A grant is retired by its retiring principal, by its grantee if RetireGrant is one of its
operations, and by whom a policy allows it.

Examples:

    strongroom grant retire --token $TOKEN
    strongroom grant retire --key $KEY_ARN --grant $GRANT`
}

// Run retires the grant.
func (c *grantRetireCmd) Run(ctx context.Context, p *Process) error {
	if (c.Token == "") == (c.Grant == "") || (c.Key == "") != (c.Grant == "") {
		return usagef("needs --token, or --key and --grant")
	}
	request := &kmsv1.RetireGrantRequest{GrantToken: given(c.Token), KeyId: given(string(c.Key)), GrantId: given(c.Grant), DryRun: c.dry()}
	return change(ctx, p, c.requestFlags, kms.RetireGrant, request, "The grant is retired.")
}

type grantRevokeCmd struct {
	Key   keyID  `arg:"" help:"The key's id or ARN."`
	Grant string `arg:"" help:"The grant's id."`
	dryRun
	requestFlags
}

// Run revokes the grant.
func (c *grantRevokeCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.RevokeGrantRequest{KeyId: c.Key.id(), GrantId: &c.Grant, DryRun: c.dry()}
	return change(ctx, p, c.requestFlags, kms.RevokeGrant, request, "Grant %s is revoked.", c.Grant)
}
