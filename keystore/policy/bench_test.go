package policy_test

import (
	"fmt"
	"testing"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

// tenStatements is a key policy of ten statements, most with conditions, the last of
// which delegates to identity policies.
const tenStatements = `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "NoInsecure", "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
     "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    {"Sid": "OfficeOnly", "Effect": "Deny", "Principal": {"AWS": "*"}, "NotAction": ["kms:Describe*", "kms:List*"], "Resource": "*",
     "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}},
    {"Sid": "NoDeletion", "Effect": "Deny", "Principal": "*", "Action": ["kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial"], "Resource": "*",
     "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::000000000000:role/admin/*"}}},
    {"Sid": "Admins", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::000000000000:user/ada", "arn:aws:iam::000000000000:role/admin/keys"]},
     "Action": ["kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", "kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource", "kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"],
     "Resource": "*"},
    {"Sid": "Finance", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:role/finance"}, "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*",
     "Condition": {"StringEquals": {"kms:EncryptionContext:department": "finance", "kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}},
    {"Sid": "Own", "Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "kms:GenerateDataKey*", "Resource": "*",
     "Condition": {"StringLike": {"kms:EncryptionContext:owner": "${aws:username}"}, "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["owner", "purpose"]}}},
    {"Sid": "Business", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:role/app/uma"}, "Action": "kms:Encrypt", "Resource": "*",
     "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}},
    {"Sid": "Grants", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:role/grantor"}, "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"], "Resource": "*",
     "Condition": {"StringEquals": {"kms:GrantConstraintType": "EncryptionContextEquals"}}},
    {"Sid": "Windows", "Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "kms:ScheduleKeyDeletion", "Resource": "*",
     "Condition": {"NumericGreaterThanEquals": {"kms:ScheduleKeyDeletionPendingWindowInDays": 14}}},
    {"Sid": "Delegate", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*", "Resource": "*"}
  ]
}`

// values is a Context of a map, by key in lower case.
type values map[string][]string

func (v values) Values(key string) ([]string, bool) {
	all, ok := v[key]
	return all, ok
}

func benchContext() values {
	return values{
		"aws:securetransport":              {"true"},
		"aws:sourceip":                     {"10.1.2.3"},
		"aws:principalarn":                 {umaUser},
		"aws:username":                     {"uma"},
		"aws:currenttime":                  {"2026-11-23T10:00:00Z"},
		"kms:encryptionalgorithm":          {"SYMMETRIC_DEFAULT"},
		"kms:encryptioncontext:department": {"finance"},
		"kms:encryptioncontextkeys":        {"department", "document"},
	}
}

// grantsOf returns an index of n grants, of each kind of constraint and of none. The
// grants by department are for documents that nobody asks for.
func grantsOf(n int) *policy.Grants {
	g := policy.NewGrants()
	for i := range n {
		grant := policy.Grant{
			ID:         fmt.Sprintf("grant-%d", i),
			Grantee:    fmt.Sprintf("arn:aws:iam::000000000000:role/worker-%d", i/3),
			Operations: []string{"Encrypt", "Decrypt"},
		}
		document := fmt.Sprintf("document-%d", i)
		switch i % 3 {
		case 0:
			grant.Grantee = umaUser
			grant.Subset = map[string]string{"department": "finance", "document": document}
		case 1:
			grant.Grantee = umaUser
			grant.Equals = map[string]string{"department": "finance", "document": document}
		}
		g.Put(grant)
	}
	return g
}

// BenchmarkDecide is a request that every source is asked about: no statement of ten
// allows it by itself, and an identity policy or a grant does.
func BenchmarkDecide(b *testing.B) {
	key, err := policy.ParseKeyPolicy(tenStatements)
	if err != nil {
		b.Fatal(err)
	}
	identities, err := policy.NewIdentities(nil, map[string][]string{umaUser: {"user"}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{0, 1000, 50000} {
		b.Run(fmt.Sprintf("policies/grants=%d", n), func(b *testing.B) {
			benchmarkDecide(b, policy.Sources{KeyPolicy: key, KeyAccount: "000000000000", Identity: identities.Of(umaUser), Grants: grantsOf(n)}, n, true)
		})
		b.Run(fmt.Sprintf("allowedByGrant/grants=%d", n), func(b *testing.B) {
			benchmarkDecide(b, policy.Sources{KeyPolicy: key, KeyAccount: "000000000000", Grants: grantsOf(n + 3)}, n, true)
		})
		b.Run(fmt.Sprintf("denied/grants=%d", n), func(b *testing.B) {
			benchmarkDecide(b, policy.Sources{KeyPolicy: key, KeyAccount: "000000000000", Grants: grantsOf(n)}, n+5, false)
		})
	}
}

// benchmarkDecide asks about a document whose number is that of a grant for it.
func benchmarkDecide(b *testing.B, s policy.Sources, document int, want bool) {
	b.Helper()
	r := policy.Request{
		Principal: umaUser, Action: "kms:Encrypt", Resource: key, Context: benchContext(),
		EncryptionContext: map[string]string{"department": "finance", "document": fmt.Sprintf("document-%d", document-document%3)},
	}
	b.ReportAllocs()
	for b.Loop() {
		if policy.Decide(r, s).Allowed() != want {
			b.Fatalf("allowed: %v, want %v", !want, want)
		}
	}
}

// BenchmarkDecideOneGrantee is a request that one of 50,000 grants of the caller
// allows, whose constraints differ in one of eight pairs only.
func BenchmarkDecideOneGrantee(b *testing.B) {
	key, err := policy.ParseKeyPolicy(tenStatements)
	if err != nil {
		b.Fatal(err)
	}
	constraint := func(document int) map[string]string {
		pairs := map[string]string{"department": "finance", "document": fmt.Sprintf("document-%d", document)}
		for i := range 6 {
			pairs[fmt.Sprintf("label-%d", i)] = "same"
		}
		return pairs
	}
	grants := policy.NewGrants()
	for i := range 50000 {
		grants.Put(policy.Grant{ID: fmt.Sprint(i), Grantee: umaUser, Operations: []string{"Encrypt", "Decrypt"}, Subset: constraint(i)})
	}
	r := policy.Request{Principal: umaUser, Action: "kms:Encrypt", Resource: "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab", Context: benchContext(), EncryptionContext: constraint(49999)}
	s := policy.Sources{KeyPolicy: key, KeyAccount: "000000000000", Grants: grants}
	b.ReportAllocs()
	for b.Loop() {
		if !policy.Decide(r, s).Allowed() {
			b.Fatal("the grant does not allow it")
		}
	}
}
