package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type principalCreateKeyCmd struct {
	ARN string `arg:"" name:"arn" help:"The principal's ARN."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*principalCreateKeyCmd) Help() string {
	return `AWS clients sign their requests with an access key. Its secret is printed this once, as variables of a
shell. A principal has two access keys at most.

Example:

    strongroom principal create-key arn:aws:iam::000000000000:user/alice > alice.env
    eval "$(strongroom principal create-key arn:aws:iam::000000000000:user/alice)"`
}

// Run makes an access key.
func (c *principalCreateKeyCmd) Run(ctx context.Context, p *Process) error {
	request := &operatorv1.CreateAccessKeyRequest{Principal: &c.ARN}
	return askOperator(ctx, p, c.requestFlags, operator.CreateAccessKey, request, accessKeyVariables)
}

type principalListKeysCmd struct {
	ARN string `arg:"" optional:"" name:"arn" help:"The principal's ARN; without it the access keys of all are listed."`
	requestFlags
}

// Run prints the access keys.
func (c *principalListKeysCmd) Run(ctx context.Context, p *Process) error {
	return askOperator(ctx, p, c.requestFlags, operator.ListAccessKeys, accessKeysOf(c.ARN), func(w io.Writer, r *operatorv1.ListAccessKeysResponse) error {
		rows := make([][]string, len(r.GetAccessKeys()))
		for i, a := range r.GetAccessKeys() {
			rows[i] = []string{a.GetAccessKeyId(), a.GetPrincipal(), present.Time(a.GetCreated())}
		}
		return present.Table(w, []string{"ACCESS KEY ID", "PRINCIPAL", "CREATED"}, rows)
	})
}

// accessKeysOf asks for the access keys of a principal, or of all.
func accessKeysOf(arn string) *operatorv1.ListAccessKeysRequest {
	r := new(operatorv1.ListAccessKeysRequest)
	if arn != "" {
		r.Principal = &arn
	}
	return r
}

type principalDeleteKeyCmd struct {
	ID string `arg:"" name:"id" help:"The access key's id."`
	requestFlags
}

// Run deletes the access key.
func (c *principalDeleteKeyCmd) Run(ctx context.Context, p *Process) error {
	request := &operatorv1.DeleteAccessKeyRequest{AccessKeyId: &c.ID}
	return changeOperator(ctx, p, c.requestFlags, operator.DeleteAccessKey, request, "Access key %s is deleted.", c.ID)
}

type principalRotateKeyCmd struct {
	ARN string `arg:"" name:"arn" help:"The principal's ARN."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*principalRotateKeyCmd) Help() string {
	return `It makes a second access key beside the one that the principal has, and says how the first is deleted
when everybody uses the second. Until then both are good.`
}

// Run makes the second access key.
func (c *principalRotateKeyCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		has, err := client.Operator.ListAccessKeys(ctx, accessKeysOf(c.ARN))
		if err != nil {
			return err
		}
		old := has.GetAccessKeys()
		if len(old) != 1 {
			return fmt.Errorf("%s has %d access keys, and only one can be rotated%s", c.ARN, len(old), insteadOfRotating(len(old)))
		}
		made, err := client.Operator.CreateAccessKey(ctx, &operatorv1.CreateAccessKeyRequest{Principal: &c.ARN})
		if err != nil {
			return err
		}
		if err := c.print(p, made, func(w io.Writer) error { return accessKeyVariables(w, made) }); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.Stderr, "When nobody uses the former one any more: strongroom principal delete-key %s\n", present.Printable(old[0].GetAccessKeyId()))
		return err
	})
}

// insteadOfRotating says what to do about so many access keys.
func insteadOfRotating(n int) string {
	if n == 0 {
		return "; make one with strongroom principal create-key"
	}
	return "; delete the one that is not used with strongroom principal delete-key"
}

// accessKeyVariables prints an access key as variables of a shell. A comment, which
// a shell ignores too, says whose it is.
func accessKeyVariables(w io.Writer, r *operatorv1.CreateAccessKeyResponse) error {
	_, err := fmt.Fprintf(w, "# %s\nexport AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n",
		present.Printable(r.GetAccessKey().GetPrincipal()), present.Printable(r.GetAccessKey().GetAccessKeyId()), present.Printable(r.GetSecretAccessKey()))
	return err
}
