package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

func keyPolicy(t testing.TB, text string) *policy.Document {
	t.Helper()
	d, err := policy.ParseKeyPolicy(text)
	if err != nil {
		t.Fatalf("ParseKeyPolicy(%s): %v", text, err)
	}
	return d
}

func identityPolicy(t testing.TB, name, text string) *policy.Document {
	t.Helper()
	d, err := policy.ParseIdentityPolicy(name, text)
	if err != nil {
		t.Fatalf("ParseIdentityPolicy(%s): %v", text, err)
	}
	return d
}

// statements makes a policy of statements in which "Allow", "Deny", "Encrypt" and
// "AnyResource" stand for what is the same everywhere.
func statements(all ...string) string {
	words := strings.NewReplacer(
		"Allow,", `"Effect": "Allow",`, "Deny,", `"Effect": "Deny",`,
		"Encrypt,", `"Action": "kms:Encrypt",`, "AnyResource", `"Resource": "*"`)
	return `{"Version": "2012-10-17", "Statement": [` + words.Replace(strings.Join(all, ",")) + `]}`
}

const (
	toAlice   = `{Allow, "Principal": {"AWS": "arn:aws:iam::000000000000:user/alice"}, Encrypt, AnyResource}`
	toRole    = `{Allow, "Principal": {"AWS": "arn:aws:iam::000000000000:role/team/app"}, Encrypt, AnyResource}`
	toAccount = `{Allow, "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, Encrypt, AnyResource}`
	toAll     = `{Allow, "Principal": "*", Encrypt, AnyResource}`
	notAlice  = `{Deny, "NotPrincipal": {"AWS": ["arn:aws:iam::000000000000:user/alice", "arn:aws:iam::000000000000:root"]}, Encrypt, AnyResource}`
	mine      = `{Allow, Encrypt, AnyResource}`
	never     = `{Deny, Encrypt, AnyResource}`
	describe  = `{Allow, "Action": "kms:DescribeKey", AnyResource}`
)

const (
	noResourcePolicy = "because no resource-based policy allows the kms:Encrypt action"
	noIdentityPolicy = "because no identity-based policy allows the kms:Encrypt action"
	keyPolicyDenies  = "with an explicit deny in a resource-based policy"
	identityDenies   = "with an explicit deny in an identity-based policy"
)

// TestDecide has the rules of evaluation, one a row. The action is kms:Encrypt and
// the key is of account 000000000000.
func TestDecide(t *testing.T) {
	granted := policy.NewGrants()
	granted.Put(policy.Grant{ID: "g1", Grantee: alice, Operations: []string{"Encrypt"}})
	for _, test := range []struct {
		rule     string
		caller   string
		key      string // the key policy's statements
		identity string // the identity policy's; "": there is none
		grants   policy.GrantFinder
		by       string // what allows; "": denied
		reason   string
	}{
		{"a key policy that names the caller allows by itself", alice, toAlice, "", nil, "key policy, statement 1", ""},
		{"and nobody else", appRole, toAlice, "", nil, "", noResourcePolicy},
		{"names are compared with their case", "arn:aws:iam::000000000000:user/Alice", toAlice, "", nil, "", noResourcePolicy},
		{"and with their path", "arn:aws:iam::000000000000:user/x/alice", toAlice, "", nil, "", noResourcePolicy},
		{"and with their account", foreigner, toAlice, mine, nil, "", noResourcePolicy},
		{"a role's sessions are the role", roleSession, toRole, "", nil, "key policy, statement 1", ""},
		{"a role is not its sessions", appRole, `{Allow, "Principal": {"AWS": "` + roleSession + `"}, Encrypt, AnyResource}`, "", nil, "", noResourcePolicy},
		{"a session of another role is not", "arn:aws:sts::000000000000:assumed-role/apps/one", toRole, "", nil, "", noResourcePolicy},
		{"nor a role of the same name in another account", "arn:aws:sts::111111111111:assumed-role/app/one", toRole, mine, nil, "", noResourcePolicy},
		{"nor a user of the role's name", "arn:aws:iam::000000000000:user/app", toRole, "", nil, "", noResourcePolicy},
		{"everybody is allowed by name", alice, toAll, "", nil, "key policy, statement 1", ""},
		{"services cannot call", alice, `{Allow, "Principal": {"Service": "*"}, Encrypt, AnyResource}`, mine, nil, "", noResourcePolicy},

		{"the account delegates: an identity policy has to allow too", alice, toAccount, mine, nil, `policy "own", statement 1`, ""},
		{"delegation allows nothing by itself", alice, toAccount, "", nil, "", noIdentityPolicy},
		{"nor with an identity policy about something else", alice, toAccount, describe, nil, "", noIdentityPolicy},
		{"the account may be named by its number", alice, strings.Replace(toAccount, rootUser, account, 1), mine, nil, `policy "own", statement 1`, ""},
		{"another account is not delegated to", foreigner, toAccount, mine, nil, "", noResourcePolicy},
		{"the account's root needs no identity policy", rootUser, toAccount, "", nil, "key policy, statement 1", ""},
		{"an identity policy without the key policy is not enough", alice, toRole, mine, nil, "", noResourcePolicy},
		{"by name or by delegation, the one that allows counts", alice, toAccount + "," + toAlice, "", nil, "key policy, statement 2", ""},

		{"a caller of another account needs both policies", foreigner, toAll, "", nil, "", noIdentityPolicy},
		{"and with both is allowed", foreigner, toAll, mine, nil, `policy "own", statement 1`, ""},
		{"so does another account's root", "arn:aws:iam::111111111111:root", toAll, "", nil, "", noIdentityPolicy},

		{"a Deny of the key policy wins over its Allow", alice, toAlice + "," + strings.Replace(toAlice, "Allow", "Deny", 1), "", nil, "", keyPolicyDenies},
		{"in any order", alice, strings.Replace(toAll, "Allow", "Deny", 1) + "," + toAlice, mine, nil, "", keyPolicyDenies},
		{"a Deny of the account denies all its callers", alice, toAlice + "," + strings.Replace(toAccount, "Allow", "Deny", 1), mine, nil, "", keyPolicyDenies},
		{"a Deny of the role denies its sessions", roleSession, toAll + "," + strings.Replace(toRole, "Allow", "Deny", 1), "", nil, "", keyPolicyDenies},
		{"a Deny of an identity policy wins over the key policy", alice, toAlice, never, nil, "", identityDenies},
		{"and over another statement of its own", alice, toAccount, mine + "," + never, nil, "", identityDenies},

		{"NotPrincipal spares who it names", alice, toAll + "," + notAlice, "", nil, "key policy, statement 1", ""},
		{"it denies everybody else, though their account is named", appRole, toAll + "," + notAlice, mine, nil, "", keyPolicyDenies},
		{"but the root", rootUser, toAll + "," + notAlice, "", nil, "key policy, statement 1", ""},

		{"a grant allows", alice, toRole, "", granted, "grant g1", ""},
		{"only its grantee", appRole, toAlice, "", granted, "", noResourcePolicy},
		{"a Deny of the key policy wins over a grant", alice, strings.Replace(toAll, "Allow", "Deny", 1), "", granted, "", keyPolicyDenies},
		{"a Deny of an identity policy wins over a grant", alice, toRole, never, granted, "", identityDenies},
		{"policies are named before grants", alice, toAlice, "", granted, "key policy, statement 1", ""},

		{"without a key policy an identity policy decides", alice, "", mine, nil, `policy "own", statement 1`, ""},
		{"also for the root", rootUser, "", "", nil, "", noIdentityPolicy},
		{"and grants do not count", alice, "", "", granted, "", noIdentityPolicy},
	} {
		s := policy.Sources{KeyAccount: account, Grants: test.grants}
		if test.key != "" {
			s.KeyPolicy = keyPolicy(t, statements(test.key))
		}
		if test.identity != "" {
			s.Identity = []*policy.Document{identityPolicy(t, "own", statements(test.identity))}
		}
		d := policy.Decide(policy.Request{Principal: test.caller, Action: "kms:Encrypt", Resource: key}, s)
		if d.Allowed() != (test.reason == "") || d.Reason() != test.reason || (d.Allowed() && d.By() != test.by) {
			t.Errorf("%s: allowed %v, by %q, %q; want by %q, %q", test.rule, d.Allowed(), d.By(), d.Reason(), test.by, test.reason)
		}
	}
}

// TestFirstPolicyIsNamed expects the first of several policies that allow in By.
func TestFirstPolicyIsNamed(t *testing.T) {
	s := policy.Sources{Identity: []*policy.Document{
		identityPolicy(t, "other", statements(describe)),
		identityPolicy(t, "first", statements(mine)),
		identityPolicy(t, "second", statements(mine)),
	}}
	d := policy.Decide(policy.Request{Principal: alice, Action: "kms:Encrypt", Resource: key}, s)
	if got, want := d.By(), `policy "first", statement 1`; got != want {
		t.Errorf("allowed by %q, want %q", got, want)
	}
}

func TestStatementElements(t *testing.T) {
	for _, test := range []struct {
		elements string
		action   string
		resource string
		want     bool
	}{
		{`"Action": "kms:Encrypt", "Resource": "*"`, "kms:Encrypt", key, true},
		{`"Action": "KMS:eNCRYPT", "Resource": "*"`, "kms:Encrypt", key, true},
		{`"Action": "kms:encrypt*", "Resource": "*"`, "kms:Encrypt", key, true},
		{`"Action": "kms:*Key", "Resource": "*"`, "kms:GenerateDataKey", key, true},
		{`"Action": "kms:*Key", "Resource": "*"`, "kms:GenerateDataKeyPair", key, false},
		{`"Action": "kms:*Data*Pair*", "Resource": "*"`, "kms:GenerateDataKeyPairWithoutPlaintext", key, true},
		{`"Action": "kms:?ecrypt", "Resource": "*"`, "kms:Decrypt", key, true},
		{`"Action": "kms:?Decrypt", "Resource": "*"`, "kms:Decrypt", key, false},
		{`"Action": "*", "Resource": "*"`, "strongroom:RestartHsm", "*", true},
		{`"Action": "s3:*", "Resource": "*"`, "kms:Decrypt", key, false},
		{`"Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"`, "kms:Decrypt", key, true},
		{`"NotAction": "kms:Encrypt", "Resource": "*"`, "kms:Decrypt", key, true},
		{`"NotAction": ["kms:Encrypt", "kms:D*"], "Resource": "*"`, "kms:Decrypt", key, false},

		{`"Action": "*", "Resource": "` + key + `"`, "kms:Decrypt", key, true},
		{`"Action": "*", "Resource": "` + otherKey + `"`, "kms:Decrypt", key, false},
		{`"Action": "*", "Resource": "arn:` + strings.ToUpper(key[4:]) + `"`, "kms:Decrypt", key, false},
		{`"Action": "*", "Resource": "arn:aws:kms:*:*:key/*"`, "kms:Decrypt", key, true},
		{`"Action": "*", "Resource": "arn:aws:kms:*key/????abcd-*"`, "kms:Decrypt", key, true},
		{`"Action": "*", "Resource": "arn:aws:kms:*:*:alias/*"`, "kms:Decrypt", key, false},
		{`"Action": "*", "Resource": "arn:*"`, "kms:ListKeys", "*", false},
		{`"Action": "*", "NotResource": "arn:*"`, "kms:ListKeys", "*", true},
		{`"Action": "*", "NotResource": ["` + key + `", "` + otherKey + `"]`, "kms:Decrypt", key, false},
		{`"Action": "*", "Resource": "arn:aws:kms:us-east-1:000000000000:key/${aws:username}"`, "kms:Decrypt", otherKey, true},
		{`"Action": "*", "Resource": "arn:aws:kms:us-east-1:000000000000:key/${AWS:UserName}*"`, "kms:Decrypt", otherKey + "2", true},
		{`"Action": "*", "Resource": "arn:aws:kms:us-east-1:000000000000:key/${aws:username}"`, "kms:Decrypt", key, false},
		{`"Action": "*", "Resource": "arn:aws:kms:us-east-1:000000000000:key/${aws:PrincipalTag/team}"`, "kms:Decrypt", otherKey, false},
		{`"Action": "*", "Resource": "arn:aws:kms:us-east-1:000000000000:key/${aws:PrincipalTag/team, 'alice'}"`, "kms:Decrypt", otherKey, true},
		{`"Action": "*", "Resource": "arn:aws:kms:us-east-1:000000000000:key/${*}"`, "kms:Decrypt", otherKey, false},
	} {
		s := policy.Sources{Identity: []*policy.Document{identityPolicy(t, "p", statements(`{Allow, `+test.elements+`}`))}}
		r := policy.Request{Principal: alice, Action: test.action, Resource: test.resource, Context: values{"aws:username": {"alice"}}}
		if got := policy.Decide(r, s).Allowed(); got != test.want {
			t.Errorf("{%s} allows %s on %s: %v, want %v", test.elements, test.action, test.resource, got, test.want)
		}
	}
}

// TestVersion2008HasNoVariables expects a variable of the older language to be text.
func TestVersion2008HasNoVariables(t *testing.T) {
	for _, version := range []string{"", `"Version": "2008-10-17",`} {
		text := `{` + version + `"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*",
			"Condition": {"StringEquals": {"aws:userid": "${aws:username}"}}}}`
		s := policy.Sources{Identity: []*policy.Document{identityPolicy(t, "p", text)}}
		for userid, want := range map[string]bool{"${aws:username}": true, "alice": false} {
			c := values{"aws:username": {"alice"}, "aws:userid": {userid}}
			r := policy.Request{Principal: alice, Action: "kms:Encrypt", Resource: key, Context: c}
			if got := policy.Decide(r, s).Allowed(); got != want {
				t.Errorf("version %q, userid %q: allowed %v, want %v", version, userid, got, want)
			}
		}
	}
}

// TestImpossibleRequestsAreDenied has what no caller sends, which policies that allow
// everything do not allow.
func TestImpossibleRequestsAreDenied(t *testing.T) {
	everything := policy.Sources{
		KeyPolicy:  keyPolicy(t, statements(`{Allow, "Principal": "*", "Action": "*", AnyResource}`)),
		KeyAccount: account,
		Identity:   []*policy.Document{identityPolicy(t, "all", statements(`{Allow, "Action": "*", AnyResource}`))},
	}
	possible := policy.Request{Principal: alice, Action: "kms:Encrypt", Resource: key}
	if !policy.Decide(possible, everything).Allowed() {
		t.Fatal("the possible request is denied")
	}
	for name, change := range map[string]func(*policy.Request, *policy.Sources){
		"no principal":               func(r *policy.Request, _ *policy.Sources) { r.Principal = "" },
		"a principal without an ARN": func(r *policy.Request, _ *policy.Sources) { r.Principal = "alice" },
		"a principal of S3":          func(r *policy.Request, _ *policy.Sources) { r.Principal = "arn:aws:s3:::bucket" },
		"no action":                  func(r *policy.Request, _ *policy.Sources) { r.Action = "" },
		"an action that is not one":  func(r *policy.Request, _ *policy.Sources) { r.Action = "kms:\u212aey" },
		"an action without end":      func(r *policy.Request, _ *policy.Sources) { r.Action = strings.Repeat("a", 129) },
		"no resource":                func(r *policy.Request, _ *policy.Sources) { r.Resource = "" },
		"an identity policy as the key's": func(_ *policy.Request, s *policy.Sources) {
			s.KeyPolicy = s.Identity[0]
		},
		"a key policy as the caller's": func(_ *policy.Request, s *policy.Sources) {
			s.Identity = []*policy.Document{s.KeyPolicy}
		},
		"a policy that is nil": func(_ *policy.Request, s *policy.Sources) {
			s.Identity = []*policy.Document{nil}
		},
	} {
		r, s := possible, everything
		change(&r, &s)
		if d := policy.Decide(r, s); d.Allowed() || len(d.Explain()) != 2 {
			t.Errorf("%s: allowed %v, explained by %q", name, d.Allowed(), d.Explain())
		}
	}
}

func TestDefaultKeyPolicy(t *testing.T) {
	d := keyPolicy(t, policy.DefaultKeyPolicy(account))
	r := policy.Request{Principal: alice, Action: "kms:Encrypt", Resource: key}
	for _, test := range []struct {
		identity string
		want     bool
	}{{"admin", true}, {"user", true}, {"auditor", false}} {
		identities, err := policy.NewIdentities(nil, map[string][]string{alice: {test.identity}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := policy.Sources{KeyPolicy: d, KeyAccount: account, Identity: identities.Of(alice)}
		if got := policy.Decide(r, s).Allowed(); got != test.want {
			t.Errorf("%s is allowed: %v, want %v", test.identity, got, test.want)
		}
	}
}

// TestAllowsPrincipal has the safety check of PutKeyPolicy.
func TestAllowsPrincipal(t *testing.T) {
	put := func(s string) string { return strings.ReplaceAll(s, "Encrypt,", `"Action": "kms:PutKeyPolicy",`) }
	for _, test := range []struct {
		name   string
		policy string
		caller string
		want   bool
	}{
		{"it names the caller", put(toAlice), alice, true},
		{"it names somebody else", put(toAlice), appRole, false},
		{"it delegates to the account", put(toAccount), alice, true},
		{"it delegates another action", toAccount, alice, false},
		{"a Deny applies", put(toAlice + "," + strings.Replace(toAll, "Allow", "Deny", 1)), alice, false},
		{"a condition holds", put(`{Allow, "Principal": "*", Encrypt, AnyResource, "Condition": {"StringEquals": {"aws:username": "alice"}}}`), alice, true},
		{"a condition does not hold", put(`{Allow, "Principal": "*", Encrypt, AnyResource, "Condition": {"StringEquals": {"aws:username": "bob"}}}`), alice, false},
		{"a condition cannot be told", put(`{Allow, "Principal": "*", Encrypt, AnyResource, "Condition": {"StringEquals": {"aws:username": "${aws:userid}"}}}`), alice, false},
	} {
		r := policy.Request{Principal: test.caller, Action: "kms:PutKeyPolicy", Resource: key, Context: values{"aws:username": {"alice"}}}
		if got := policy.AllowsPrincipal(keyPolicy(t, statements(test.policy)), account, r); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	if policy.AllowsPrincipal(nil, account, policy.Request{Principal: alice, Action: "kms:PutKeyPolicy", Resource: key}) {
		t.Error("no policy allows")
	}
}

func TestExplain(t *testing.T) {
	grants := policy.NewGrants()
	grants.Put(policy.Grant{ID: "g1", Grantee: alice, Operations: []string{"Decrypt"}})
	s := policy.Sources{
		KeyAccount: account,
		KeyPolicy: keyPolicy(t, statements(
			strings.Replace(toRole, "{", `{"Sid": "Role", `, 1),
			`{Allow, "Principal": "*", "Action": "kms:Decrypt", AnyResource}`,
			`{Allow, "Principal": "*", Encrypt, "Resource": "`+otherKey+`"}`,
			`{Deny, "Principal": "*", Encrypt, AnyResource, "Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringLike": {"kms:ViaService": "s3.*"}}}`,
			`{Allow, "Principal": "*", Encrypt, AnyResource, "Condition": {"StringEquals": {"aws:SecureTransport": "${aws:userid}"}}}`,
			toAccount)),
		Identity: []*policy.Document{identityPolicy(t, "own", statements(describe, mine))},
		Grants:   grants,
	}
	r := policy.Request{Principal: alice, Action: "kms:Encrypt", Resource: key, Context: values{"aws:securetransport": {"false"}}}
	want := []string{
		"key policy, statement 1 (Role): does not apply: it is not about this principal",
		"key policy, statement 2: does not apply: it is not about this action",
		"key policy, statement 3: does not apply: it is not about this resource",
		"key policy, statement 4: does not apply: the condition StringLike on kms:ViaService does not hold",
		"key policy, statement 5: does not apply: whether the condition StringEquals on aws:SecureTransport holds cannot be told from this request",
		"key policy, statement 6: allows what an identity policy allows too, since it names the account",
		`policy "own", statement 1: does not apply: it is not about this action`,
		`policy "own", statement 2: allows`,
		"no grant allows it",
		`allowed by policy "own", statement 2`,
	}
	if diff := cmp.Diff(want, policy.Decide(r, s).Explain()); diff != "" {
		t.Errorf("an allowed request (-want +got):\n%s", diff)
	}

	s.KeyPolicy = keyPolicy(t, statements(toAll, `{"Sid": "Own", Deny, "Principal": "*", Encrypt, "NotResource": "arn:aws:kms:*:*:key/${aws:username}"}`))
	r.Principal = foreigner
	want = []string{
		"key policy, statement 1: allows what an identity policy allows too, since the principal is of another account",
		"key policy, statement 2 (Own): denies, to be safe: whether it is about this resource cannot be told from this request",
		`policy "own", statement 1: does not apply: it is not about this action`,
		`policy "own", statement 2: allows`,
		"no grant allows it",
		"denied by key policy, statement 2 (Own)",
	}
	if diff := cmp.Diff(want, policy.Decide(r, s).Explain()); diff != "" {
		t.Errorf("a denied request (-want +got):\n%s", diff)
	}

	r.Principal, r.Action = alice, "kms:Decrypt"
	s = policy.Sources{KeyPolicy: keyPolicy(t, statements(toAlice)), KeyAccount: account, Grants: grants}
	want = []string{
		"key policy, statement 1: does not apply: it is not about this action",
		"the principal has no identity policy",
		"grant g1: allows",
		"allowed by grant g1",
	}
	if diff := cmp.Diff(want, policy.Decide(r, s).Explain()); diff != "" {
		t.Errorf("a granted request (-want +got):\n%s", diff)
	}

	want = []string{
		"no key policy has a say in this action",
		"the principal has no identity policy",
		"denied, because no identity-based policy allows the kms:Decrypt action",
	}
	if diff := cmp.Diff(want, policy.Decide(r, policy.Sources{}).Explain()); diff != "" {
		t.Errorf("a request without policies (-want +got):\n%s", diff)
	}
}
