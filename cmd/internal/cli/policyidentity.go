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

type policyPutCmd struct {
	Name string `arg:"" help:"The policy's name."`
	File string `placeholder:"FILE" default:"-" help:"The file with the policy, in JSON; - is standard input, which is meant without it."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*policyPutCmd) Help() string {
	return `The new policy takes the place of the whole old one, at once, for every principal that has it.
One of the configuration file, or a built-in one, cannot be replaced.

Example:

    strongroom policy get payments > policy.json
    strongroom policy put payments --file policy.json`
}

// Run puts the policy.
func (c *policyPutCmd) Run(ctx context.Context, p *Process) error {
	document, err := readPolicy(p, c.File)
	if err != nil {
		return err
	}
	request := &operatorv1.PutIdentityPolicyRequest{Name: &c.Name, Document: document}
	return changeOperator(ctx, p, c.requestFlags, operator.PutIdentityPolicy, request, "Policy %s is in force.", c.Name)
}

type policyListCmd struct {
	requestFlags
}

// Run prints the policies without their documents.
func (c *policyListCmd) Run(ctx context.Context, p *Process) error {
	return askOperator(ctx, p, c.requestFlags, operator.ListIdentityPolicies, new(operatorv1.ListIdentityPoliciesRequest), func(w io.Writer, r *operatorv1.ListIdentityPoliciesResponse) error {
		rows := make([][]string, len(r.GetPolicies()))
		for i, policy := range r.GetPolicies() {
			rows[i] = []string{policy.GetName(), source(policy.GetSource()), present.Time(policy.GetUpdated())}
		}
		return present.Table(w, []string{"NAME", "FROM", "UPDATED"}, rows)
	})
}

// source says it in the words of the list of principals.
func source(s operatorv1.PolicySource) string {
	return strings.ToLower(strings.ReplaceAll(present.Enum(s), "_", " "))
}

type policyGetCmd struct {
	Name string `arg:"" help:"The policy's name."`
	requestFlags
}

// Run prints the policy.
func (c *policyGetCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.Operator.ListIdentityPolicies(ctx, new(operatorv1.ListIdentityPoliciesRequest))
		if err != nil {
			return err
		}
		policy, err := c.find(answer.GetPolicies())
		if err != nil {
			return err
		}
		return c.print(p, policy, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, strings.TrimRight(policy.GetDocument(), "\n"))
			return err
		})
	})
}

func (c *policyGetCmd) find(policies []*operatorv1.IdentityPolicy) (*operatorv1.IdentityPolicy, error) {
	i := slices.IndexFunc(policies, func(p *operatorv1.IdentityPolicy) bool { return p.GetName() == c.Name })
	switch {
	case i < 0:
		return nil, fmt.Errorf("there is no policy %q", c.Name)
	case policies[i].Document == nil:
		return nil, fmt.Errorf("the policy %q is built in and has no document; docs/policies.md says what it allows", c.Name)
	}
	return policies[i], nil
}

type policyDeleteCmd struct {
	Name string `arg:"" help:"The policy's name."`
	requestFlags
}

// Run deletes the policy.
func (c *policyDeleteCmd) Run(ctx context.Context, p *Process) error {
	request := &operatorv1.DeleteIdentityPolicyRequest{Name: &c.Name}
	return changeOperator(ctx, p, c.requestFlags, operator.DeleteIdentityPolicy, request, "Policy %s is deleted.", c.Name)
}
