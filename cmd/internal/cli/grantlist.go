package cli

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type grantListCmd struct {
	Key     keyID  `arg:"" help:"The key's id or ARN."`
	Grantee string `placeholder:"ARN" help:"Only the grants to this principal."`
	Grant   string `placeholder:"ID" help:"Only the grant with this id."`
	requestFlags
}

// Run prints all of these grants, however many pages they take.
func (c *grantListCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.ListGrantsRequest{KeyId: c.Key.id(), GranteePrincipal: given(c.Grantee), GrantId: given(c.Grant), Limit: new(int32(100))}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		all := &kmsv1.ListGrantsResponse{Truncated: new(bool)}
		err := pages(func(marker *string) (page, error) {
			request.Marker = marker
			answer, err := client.KMS.ListGrants(ctx, request)
			all.Grants = append(all.Grants, answer.GetGrants()...)
			return answer, err
		})
		if err != nil {
			return err
		}
		return c.print(p, all, func(w io.Writer) error { return grantTable(w, all.GetGrants()) })
	})
}

type grantListRetirableCmd struct {
	Principal string `arg:"" help:"The ARN of who may retire them."`
	requestFlags
}

// Run prints all of these grants, however many pages they take.
func (c *grantListRetirableCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.ListRetirableGrantsRequest{RetiringPrincipal: &c.Principal, Limit: new(int32(100))}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		all := &kmsv1.ListRetirableGrantsResponse{Truncated: new(bool)}
		err := pages(func(marker *string) (page, error) {
			request.Marker = marker
			answer, err := client.KMS.ListRetirableGrants(ctx, request)
			all.Grants = append(all.Grants, answer.GetGrants()...)
			return answer, err
		})
		if err != nil {
			return err
		}
		return c.print(p, all, func(w io.Writer) error { return grantTable(w, all.GetGrants()) })
	})
}

func grantTable(w io.Writer, grants []*kmsv1.GrantListEntry) error {
	rows := make([][]string, len(grants))
	for i, g := range grants {
		rows[i] = []string{g.GetGrantId(), g.GetName(), g.GetGranteePrincipal(), operations(g), constraints(g.GetConstraints()), g.GetKeyId()}
	}
	return present.Table(w, []string{"GRANT", "NAME", "GRANTEE", "OPERATIONS", "ENCRYPTION CONTEXT", "KEY"}, rows)
}

func operations(g *kmsv1.GrantListEntry) string {
	names := make([]string, len(g.GetOperations()))
	for i, o := range g.GetOperations() {
		names[i] = present.Enum(o)
	}
	return strings.Join(names, ",")
}

// constraints tells the encryption contexts that a grant is for, or nothing if
// it is for all.
func constraints(c *kmsv1.GrantConstraints) string {
	var told []string
	if pairs := c.GetEncryptionContextEquals(); len(pairs) > 0 {
		told = append(told, "equals "+sortedPairs(pairs))
	}
	if pairs := c.GetEncryptionContextSubset(); len(pairs) > 0 {
		told = append(told, "has "+sortedPairs(pairs))
	}
	return strings.Join(told, ", ")
}

func sortedPairs(pairs map[string]string) string {
	told := make([]string, 0, len(pairs))
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		told = append(told, name+"="+pairs[name])
	}
	return strings.Join(told, " ")
}
