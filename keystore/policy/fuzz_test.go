package policy_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

// seeds are policies with every element and operator.
func seeds() []string {
	return []string{
		tenStatements,
		policy.DefaultKeyPolicy(account),
		statements(toAlice, toRole, toAccount, toAll, notAlice),
		statements(mine, never, describe),
		statements(`{Deny, "NotAction": ["kms:?e*", "*"], "NotResource": ["arn:aws:kms:*:*:key/${aws:username, 'x'}${$}"],
			"Condition": {"ForAnyValue:StringNotLikeIfExists": {"aws:TagKeys": ["a*", "${aws:userid}"]}, "ArnNotLike": {"aws:PrincipalArn": "arn:*:*:*:*:${*}"},
			"NumericLessThan": {"kms:RotationPeriodInDays": [1, "2.5"]}, "DateGreaterThanEquals": {"aws:CurrentTime": 1767225600}, "Null": {"aws:userid": true},
			"IpAddress": {"aws:SourceIp": "2001:db8::/32"}, "StringEqualsIgnoreCase": {"aws:username": "\u212a"}}}`),
	}
}

func fuzzContext(s string) values {
	return values{
		"aws:username": {s}, "aws:principalarn": {alice, s}, "aws:tagkeys": {"a", s}, "aws:currenttime": {s},
		"aws:sourceip": {s}, "kms:rotationperiodindays": {s}, "aws:securetransport": {"true"},
	}
}

// decideAs decides a request by a document in its place, and has it explained.
func decideAs(d *policy.Document, isKeyPolicy bool, r policy.Request) policy.Decision {
	s := policy.Sources{Identity: []*policy.Document{d}}
	if isKeyPolicy {
		s = policy.Sources{KeyPolicy: d, KeyAccount: account, Grants: policy.NewGrants()}
	}
	return policy.Decide(r, s)
}

func parseAs(isKeyPolicy bool, text string) (*policy.Document, error) {
	if isKeyPolicy {
		return policy.ParseKeyPolicy(text)
	}
	return policy.ParseIdentityPolicy("p", text)
}

// FuzzParse expects no policy to make the parser or a decision panic, and the spaces
// of a policy to mean nothing.
func FuzzParse(f *testing.F) {
	for _, text := range seeds() {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, isKeyPolicy bool) {
		d, err := parseAs(isKeyPolicy, text)
		if err != nil {
			return
		}
		var spaced bytes.Buffer
		if err := json.Indent(&spaced, []byte(text), "\t", "  "); err != nil {
			t.Fatalf("what was parsed is not JSON: %v", err)
		}
		again, err := parseAs(isKeyPolicy, spaced.String())
		if err != nil && spaced.Len() <= policy.MaxDocument {
			t.Fatalf("with spaces it is malformed: %v", err)
		}
		if err != nil {
			return
		}
		for _, principal := range []string{alice, roleSession, rootUser, foreigner} {
			r := policy.Request{Principal: principal, Action: "kms:Encrypt", Resource: key, Context: fuzzContext("alice")}
			one, other := decideAs(d, isKeyPolicy, r), decideAs(again, isKeyPolicy, r)
			if diff := cmp.Diff(one.Explain(), other.Explain()); diff != "" || one.By() != other.By() {
				t.Fatalf("with spaces it decides otherwise:\n%s", diff)
			}
		}
	})
}

// FuzzDecide expects no request to make a decision panic or contradict itself, and
// one without a principal, an action or a resource to be denied.
func FuzzDecide(f *testing.F) {
	f.Add(alice, "kms:Encrypt", key, "alice", "department")
	f.Add(roleSession, "KMS:decrypt", "*", "2026-01-01T00:00:00Z", "")
	f.Add(rootUser, "kms:ScheduleKeyDeletion", otherKey, "10.1.2.3", "owner")
	f.Add("arn:aws:sts::::", "strongroom:x", "arn:", "arn:aws:iam::0:user/\xff", "\u212a")
	f.Fuzz(func(t *testing.T, principal, action, resource, value, contextKey string) {
		r := policy.Request{
			Principal: principal, Action: action, Resource: resource, Context: fuzzContext(value),
			EncryptionContext: map[string]string{contextKey: value},
		}
		possible := strings.HasPrefix(principal, "arn:") && action != "" && resource != ""
		for i, text := range seeds() {
			for _, isKeyPolicy := range []bool{true, false} {
				d, err := parseAs(isKeyPolicy, text)
				if err != nil {
					continue
				}
				decision := decideAs(d, isKeyPolicy, r)
				if len(decision.Explain()) == 0 || decision.Allowed() == (decision.Reason() != "") {
					t.Fatalf("seed %d: allowed %v with reason %q", i, decision.Allowed(), decision.Reason())
				}
				if decision.Allowed() && !possible {
					t.Fatalf("seed %d: %+v is allowed", i, r)
				}
			}
		}
	})
}
