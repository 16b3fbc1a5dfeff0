package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

// outcomeOf names a decision as naiveDecide does.
func outcomeOf(d policy.Decision) string {
	switch {
	case d.Allowed():
		return "allow"
	case strings.Contains(d.Reason(), "explicit deny in a resource"):
		return "deny resource"
	case strings.Contains(d.Reason(), "explicit deny in an identity"):
		return "deny identity"
	case strings.Contains(d.Reason(), "no resource-based"):
		return "none resource"
	default:
		return "none identity"
	}
}

// TestDecideAgreesWithNaive draws policies, grants and requests from few words, so
// that they often meet, and decides each request twice.
func TestDecideAgreesWithNaive(t *testing.T) {
	seen := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		keyPolicy, identity, grants := "", []string(nil), drawGrants(t)
		s := policy.Sources{KeyAccount: rapid.SampledFrom([]string{account, account, account, otherAccount}).Draw(t, "key's account")}
		if rapid.IntRange(0, 5).Draw(t, "key policy") > 0 {
			keyPolicy = drawDocument(t, true)
			s.KeyPolicy = mustParse(t, policy.ParseKeyPolicy, keyPolicy)
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "identity policies") {
			identity = append(identity, drawDocument(t, false))
			s.Identity = append(s.Identity, mustParse(t, func(text string) (*policy.Document, error) {
				return policy.ParseIdentityPolicy(fmt.Sprint("p", i), text)
			}, identity[i]))
		}
		index := policy.NewGrants()
		for _, g := range grants {
			index.Put(g)
		}
		s.Grants = index
		for range 10 {
			r := drawRequest(t)
			got := policy.Decide(r, s)
			want := naiveDecide(r, keyPolicy, s.KeyAccount, identity, grants)
			if outcomeOf(got) != want {
				t.Fatalf("%+v of a key of %s\nkey policy %s\nidentity %s\ngrants %+v\nis decided %q, want %q:\n%s",
					r, s.KeyAccount, keyPolicy, identity, grants, outcomeOf(got), want, strings.Join(got.Explain(), "\n"))
			}
			seen[want]++
		}
	})
	t.Logf("decisions: %v", seen)
	for _, o := range []string{"allow", "deny resource", "deny identity", "none resource", "none identity"} {
		if seen[o] == 0 {
			t.Errorf("no request came to %q", o)
		}
	}
}

func mustParse(t *rapid.T, parse func(string) (*policy.Document, error), text string) *policy.Document {
	d, err := parse(text)
	if err != nil {
		t.Fatalf("parsing %s: %v", text, err)
	}
	return d
}

const (
	account      = "000000000000"
	otherAccount = "111111111111"
	alice        = "arn:aws:iam::000000000000:user/alice"
	roleSession  = "arn:aws:sts::000000000000:assumed-role/app/one"
	appRole      = "arn:aws:iam::000000000000:role/team/app"
	rootUser     = "arn:aws:iam::000000000000:root"
	foreigner    = "arn:aws:iam::111111111111:user/alice"
	otherKey     = "arn:aws:kms:us-east-1:000000000000:key/alice"
)

func drawGrants(t *rapid.T) []policy.Grant {
	var grants []policy.Grant
	for i := range rapid.IntRange(0, 3).Draw(t, "grants") {
		grants = append(grants, policy.Grant{
			ID:         fmt.Sprint("g", i),
			Grantee:    drawPrincipal(t),
			Operations: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"Encrypt", "Decrypt", "DescribeKey"}), 1, 3, rapid.ID).Draw(t, "operations"),
			Equals:     drawPairs(t, "equals"),
			Subset:     drawPairs(t, "subset"),
		})
	}
	return grants
}

func drawPairs(t *rapid.T, label string) map[string]string {
	one := rapid.SampledFrom([]string{"a", "b"})
	return rapid.MapOfN(rapid.SampledFrom([]string{"x", "y", "z"}), one, 0, 2).Draw(t, label)
}

func drawPrincipal(t *rapid.T) string {
	return rapid.SampledFrom([]string{alice, roleSession, appRole, rootUser, foreigner}).Draw(t, "principal")
}

func drawRequest(t *rapid.T) policy.Request {
	c := values{}
	for _, k := range contextKeys() {
		if n := rapid.SampledFrom([]int{0, 1, 1, 1, 2}).Draw(t, k.name); n > 0 {
			c[strings.ToLower(k.name)] = rapid.SliceOfN(rapid.SampledFrom(k.values), n, n).Draw(t, "values")
		}
	}
	return policy.Request{
		Principal:         drawPrincipal(t),
		Action:            rapid.SampledFrom([]string{"kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "KMS:encrypt", "strongroom:RestartHsm"}).Draw(t, "action"),
		Resource:          rapid.SampledFrom([]string{key, otherKey, "*"}).Draw(t, "resource"),
		Context:           c,
		EncryptionContext: drawPairs(t, "context"),
	}
}

// contextKey is a condition key and values that requests have, some of which are not
// of the type that operators expect.
type contextKey struct {
	name   string
	values []string
}

func contextKeys() []contextKey {
	return []contextKey{
		{"aws:username", []string{"alice", "Alice", "bob", "a*", "", "é"}},
		{"aws:PrincipalArn", []string{alice, appRole, "alice", "arn:aws:iam::0:user/a:b", "arn:aws", "arn:x:::"}},
		{"aws:SecureTransport", []string{"true", "false", "TRUE", "yes"}},
		{"kms:RotationPeriodInDays", []string{"7", "7.0", "-1", "30", "many"}},
		{"aws:CurrentTime", []string{"2026-01-01T00:00:00Z", "2026-01-01", "1767225600", "2027-01-01T00:00:00+01:00", "2026"}},
		{"aws:SourceIp", []string{"10.1.2.3", "192.0.2.1", "2001:db8::1", "nowhere"}},
	}
}

// drawDocument draws a policy that parses.
func drawDocument(t *rapid.T, resource bool) string {
	d := map[string]any{"Version": rapid.SampledFrom([]string{"2012-10-17", "2012-10-17", "2008-10-17"}).Draw(t, "version")}
	var statements []any
	for range rapid.IntRange(1, 3).Draw(t, "statements") {
		statements = append(statements, drawStatement(t, resource))
	}
	d["Statement"] = statements
	if len(statements) == 1 && rapid.Bool().Draw(t, "alone") {
		d["Statement"] = statements[0]
	}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func drawStatement(t *rapid.T, resource bool) map[string]any {
	s := map[string]any{"Effect": rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect")}
	if resource {
		name := "Principal"
		if s["Effect"] == "Deny" {
			name = drawNot(t, name)
		}
		s[name] = drawPrincipals(t)
	}
	s[drawNot(t, "Action")] = drawList(t, []string{"kms:Encrypt", "kms:*", "kms:?ncrypt", "KMS:D*t", "*", "strongroom:*", "kms:DescribeKey", "s3:*", "k*:*crypt"})
	s[drawNot(t, "Resource")] = drawList(t, []string{"*", key, "arn:aws:kms:*:*:key/*", "arn:aws:kms:us-east-1:000000000000:key/${aws:username}", "arn:*alice"})
	conditions := map[string]any{}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		operator, wanted := drawOperator(t)
		conditions[operator] = map[string]any{rapid.SampledFrom(contextKeys()).Draw(t, "key").name: wanted}
	}
	if len(conditions) > 0 {
		s["Condition"] = conditions
	}
	return s
}

// drawNot negates an element sometimes.
func drawNot(t *rapid.T, name string) string {
	if rapid.IntRange(0, 4).Draw(t, "not") == 0 {
		return "Not" + name
	}
	return name
}

// drawList draws some of the strings, or one that stands alone.
func drawList(t *rapid.T, from []string) any {
	if rapid.Bool().Draw(t, "one") {
		return rapid.SampledFrom(from).Draw(t, "value")
	}
	return rapid.SliceOfN(rapid.SampledFrom(from), 1, 3).Draw(t, "values")
}

func drawPrincipals(t *rapid.T) any {
	named := drawList(t, []string{"*", alice, alice, roleSession, appRole, rootUser, rootUser, account, foreigner, otherAccount})
	switch rapid.IntRange(0, 9).Draw(t, "kind of principal") {
	case 0:
		return "*"
	case 1:
		return map[string]any{"Service": "s3.amazonaws.com"}
	case 2:
		return map[string]any{"AWS": named, "Federated": "accounts.example.com"}
	default:
		return map[string]any{"AWS": named}
	}
}

// drawOperator draws a condition operator and values that it understands.
func drawOperator(t *rapid.T) (string, any) {
	kinds := []struct {
		operators []string
		values    []string
	}{
		{
			[]string{"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"},
			[]string{"alice", "ALICE", "a*", "*", "?", "${aws:username}", "${aws:UserName, 'bob'}", "x${$}${*}", "${aws:PrincipalArn}", "7", "true", "É", ""},
		},
		{
			[]string{"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"},
			[]string{alice, "*", "arn:aws:iam::*:user/${aws:username}", "arn:*:*:*:*:*", "arn:aws:*:0:*:*", "arn:aws:iam?:0:*:?", "${aws:PrincipalArn}*", "${aws:PrincipalArn}", "arn:aws:iam::0:*:?"},
		},
		{[]string{"Bool"}, []string{"true", "false", "False"}},
		{ordered("Numeric"), []string{"7", "7.00", "-1.5", "100"}},
		{ordered("Date"), []string{"2026-01-01T00:00:00Z", "2026-06-01", "1767225600", "2026-12-31T23:00Z"}},
		{[]string{"IpAddress", "NotIpAddress"}, []string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "0.0.0.0/0"}},
	}
	if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
		return "Null", drawList(t, []string{"true", "false"})
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind of operator")
	operator := rapid.SampledFrom(kind.operators).Draw(t, "operator")
	prefix := rapid.SampledFrom([]string{"", "", "ForAnyValue:", "ForAllValues:"}).Draw(t, "prefix")
	suffix := rapid.SampledFrom([]string{"", "", "IfExists"}).Draw(t, "suffix")
	return prefix + operator + suffix, drawList(t, kind.values)
}

func ordered(kind string) []string {
	var all []string
	for _, suffix := range []string{"Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"} {
		all = append(all, kind+suffix)
	}
	return all
}
