package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

// TestGrantsAreFoundAsByReadingThemAll puts and removes grants in any order and
// compares each answer with a scan of all grants there are.
func TestGrantsAreFoundAsByReadingThemAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &grantModel{index: policy.NewGrants(), grants: make(map[string]policy.Grant)}
		t.Repeat(map[string]func(*rapid.T){
			"put":    m.put,
			"remove": m.remove,
			"ask":    m.ask,
			"":       m.check,
		})
	})
}

// grantModel is an index and what must be in it.
type grantModel struct {
	index  *policy.Grants
	grants map[string]policy.Grant
}

func (m *grantModel) put(t *rapid.T) {
	grant := policy.Grant{
		ID:         drawID(t),
		Grantee:    rapid.SampledFrom(modelPrincipals()).Draw(t, "grantee"),
		Operations: rapid.SliceOfNDistinct(rapid.SampledFrom(modelOperations()), 1, 4, rapid.ID).Draw(t, "operations"),
		Equals:     drawContext(t, "equals"),
		Subset:     drawContext(t, "subset"),
	}
	m.index.Put(grant)
	m.grants[grant.ID] = grant
}

func (m *grantModel) remove(t *rapid.T) {
	id := drawID(t)
	_, want := m.grants[id]
	if got := m.index.Remove(id); got != want {
		t.Fatalf("Remove(%s) = %v, want %v", id, got, want)
	}
	delete(m.grants, id)
}

func (m *grantModel) ask(t *rapid.T) {
	principal := rapid.SampledFrom(modelPrincipals()).Draw(t, "principal")
	operation := rapid.SampledFrom(modelOperations()).Draw(t, "operation")
	context := drawContext(t, "context")
	var want []string
	for id, grant := range m.grants {
		if grantAllows(grant, principal, operation, context) {
			want = append(want, id)
		}
	}
	id, ok := m.index.Grant(principal, operation, context, nil)
	if ok != (len(want) > 0) || (ok && !slices.Contains(want, id)) {
		t.Fatalf("Grant(%s, %s, %v) = %q, %v, want one of %q of %+v", principal, operation, context, id, ok, want, m.grants)
	}
}

func (m *grantModel) check(t *rapid.T) {
	if got, want := m.index.Len(), len(m.grants); got != want {
		t.Fatalf("Len() = %d, want %d", got, want)
	}
	for id, want := range m.grants {
		got, ok := m.index.Get(id)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Fatalf("Get(%s): %v (-want +got):\n%s", id, ok, diff)
		}
	}
}

// grantAllows reads one grant. Its sessions are those of [modelPrincipals].
func grantAllows(g policy.Grant, principal, operation string, context map[string]string) bool {
	if !slices.Contains(g.Operations, operation) {
		return false
	}
	role, isSession := strings.CutSuffix(strings.Replace(principal, ":sts::000000000000:assumed-role/", ":iam::000000000000:role/", 1), "/session")
	if g.Grantee != principal && (!isSession || strings.Replace(g.Grantee, "/team/", "/", 1) != role) {
		return false
	}
	if operation == "Sign" || operation == "DescribeKey" {
		return true
	}
	if len(g.Equals) > 0 && !maps.Equal(g.Equals, context) {
		return false
	}
	for k, v := range g.Subset {
		if context[k] != v {
			return false
		}
	}
	return true
}

func modelPrincipals() []string {
	return []string{
		"arn:aws:iam::000000000000:user/a",
		"arn:aws:iam::000000000000:role/a",
		"arn:aws:iam::000000000000:role/team/a",
		"arn:aws:iam::000000000000:role/b",
		"arn:aws:iam::000000000000:root",
		"arn:aws:sts::000000000000:assumed-role/a/session",
		"arn:aws:sts::000000000000:assumed-role/b/session",
		"arn:aws:sts::000000000000:federated-user/a",
	}
}

func modelOperations() []string {
	return []string{"Encrypt", "Decrypt", "GenerateDataKeyPair", "ReEncryptFrom", "Sign", "DescribeKey"}
}

func drawID(t *rapid.T) string {
	return fmt.Sprintf("grant-%d", rapid.IntRange(0, 30).Draw(t, "id"))
}

// drawContext draws from few pairs, so that constraints share and nest.
func drawContext(t *rapid.T, label string) map[string]string {
	return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.SampledFrom([]string{"1", "2"}), 0, 4).Draw(t, label)
}
