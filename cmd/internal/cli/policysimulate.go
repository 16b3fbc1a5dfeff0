package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type policySimulateCmd struct {
	Principal         string   `placeholder:"ARN" required:"" help:"Who would make the request; it need not exist."`
	Action            string   `placeholder:"ACTION" required:"" help:"What the request would do, such as kms:Decrypt."`
	Key               keyName  `short:"k" placeholder:"KEY" help:"The id, ARN or alias of the key that it would be done with, of actions that have one."`
	EncryptionContext []string `sep:"none" placeholder:"NAME=VALUE" help:"A pair of the request's encryption context; may be repeated."`
	Context           []string `sep:"none" placeholder:"KEY=VALUE" help:"A value of a condition key, such as aws:SourceIp=192.0.2.1; may be repeated, also with one key. It takes the place of what follows from principal and key."`
	KeyPolicy         string   `placeholder:"FILE" help:"A draft, in JSON, in place of the key policy; - is standard input."`
	IdentityPolicy    []string `sep:"none" placeholder:"FILE" help:"A draft in place of the principal's policies; may be repeated."`
	grantTokens
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*policySimulateCmd) Help() string {
	return `Asks the policies and grants as they are now, and does nothing. The address and the connection
of the request are not known, nor are its parameters: conditions on them hold or not by the
values that --context gives. The exit status is 0 if the request is allowed and 1 if it is
denied; an error has status 1 too, but prints neither ALLOWED nor DENIED.

Examples:

    strongroom policy simulate --principal arn:aws:iam::000000000000:user/alice --action kms:Decrypt --key alias/payroll
    strongroom policy simulate --principal $ALICE --action kms:CreateGrant --key $KEY --key-policy draft.json \
        --context kms:GrantOperations=Encrypt --context kms:GrantOperations=Decrypt`
}

// Run simulates the request.
func (c *policySimulateCmd) Run(ctx context.Context, p *Process) error {
	request, err := c.request(p)
	if err != nil {
		return err
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.Operator.SimulatePolicy(ctx, request)
		if err != nil {
			return err
		}
		if err := c.print(p, answer, func(w io.Writer) error { return showSimulation(w, answer) }); err != nil {
			return err
		}
		if !answer.GetAllowed() {
			return exitCode(exitError)
		}
		return nil
	})
}

func (c *policySimulateCmd) request(p *Process) (*operatorv1.SimulatePolicyRequest, error) {
	pairs, err := parsePairs("--encryption-context", c.EncryptionContext)
	if err != nil {
		return nil, err
	}
	values, err := parseConditions(c.Context)
	if err != nil {
		return nil, err
	}
	request := &operatorv1.SimulatePolicyRequest{
		Principal: &c.Principal, Action: &c.Action, KeyId: given(string(c.Key)),
		EncryptionContext: pairs, Context: values, GrantTokens: c.GrantToken,
	}
	drafts := append([]string{c.KeyPolicy}, c.IdentityPolicy...)
	if first := slices.Index(drafts, "-"); slices.Contains(drafts[first+1:], "-") {
		return nil, usagef("only one of --key-policy and --identity-policy can be standard input")
	}
	if c.KeyPolicy != "" {
		if request.KeyPolicy, err = readPolicy(p, c.KeyPolicy); err != nil {
			return nil, err
		}
	}
	for _, path := range c.IdentityPolicy {
		draft, err := readPolicy(p, path)
		if err != nil {
			return nil, err
		}
		request.IdentityPolicies = append(request.IdentityPolicies, *draft)
	}
	return request, nil
}

// parseConditions reads values of condition keys; a key that is repeated has
// several.
func parseConditions(flags []string) ([]*operatorv1.ConditionValue, error) {
	var all []*operatorv1.ConditionValue
	known := map[string]*operatorv1.ConditionValue{}
	for _, s := range flags {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return nil, usagef("--context %q is not of the form KEY=VALUE", s)
		}
		if known[key] == nil {
			known[key] = &operatorv1.ConditionValue{Key: &key}
			all = append(all, known[key])
		}
		known[key].Values = append(known[key].Values, value)
	}
	return all, nil
}

func showSimulation(w io.Writer, r *operatorv1.SimulatePolicyResponse) error {
	verdict := "ALLOWED by " + r.GetDecidedBy()
	if !r.GetAllowed() {
		verdict = "DENIED " + r.GetReason()
		if by := r.GetDecidedBy(); by != "" {
			verdict += ": " + by
		}
	}
	lines := []string{present.Printable(verdict), ""}
	for _, line := range r.GetExplanation() {
		lines = append(lines, "- "+present.Printable(line))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
