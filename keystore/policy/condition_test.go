package policy_test

import (
	"fmt"
	"testing"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

// TestConditions has each condition once in an Allow and once in a Deny. "?" is for
// what cannot be told: it keeps the Allow from applying, and makes the Deny apply.
func TestConditions(t *testing.T) {
	c := values{
		"aws:username":                {"alice"},
		"aws:principalarn":            {alice},
		"aws:securetransport":         {"true"},
		"kms:rotationperiodindays":    {"90"},
		"aws:currenttime":             {"2026-06-15T12:00:00Z"},
		"aws:sourceip":                {"10.1.2.3"},
		"aws:tagkeys":                 {"team", "cost"},
		"aws:requesttag/team":         {"a*"},
		"aws:requesttag/empty":        {""},
		"aws:requesttag/six":          {"2001:db8::7"},
		"aws:requesttag/mapped":       {"::ffff:10.1.2.3"},
		"aws:requesttag/arn":          {"arn:aws:kms:us-east-1:000000000000:key/a:b"},
		"aws:requesttag/prefix":       {"arn:aws:kms"},
		"aws:requesttag/none":         {},
		"kms:encryptioncontext:Dept":  {"never: keys are asked for in lower case"},
		"kms:encryptioncontext:paris": {"été"},
	}
	for _, test := range []struct{ condition, want string }{
		{`"StringEquals": {"aws:username": "alice"}`, "yes"},
		{`"StringEquals": {"AWS:UserName": "alice"}`, "yes"},
		{`"StringEquals": {"aws:username": "Alice"}`, "no"},
		{`"StringEquals": {"aws:username": ["bob", "alice"]}`, "yes"},
		{`"StringEquals": {"aws:username": "a*"}`, "no"},
		{`"StringEquals": {"aws:RequestTag/team": "a*"}`, "yes"},
		{`"StringEquals": {"aws:RequestTag/empty": ""}`, "yes"},
		{`"StringEquals": {"kms:RotationPeriodInDays": 90}`, "yes"},
		{`"StringEquals": {"aws:SecureTransport": true}`, "yes"},
		{`"StringEquals": {"aws:username": "alice", "aws:userid": "x"}`, "no"},
		{`"StringEquals": {"aws:username": "alice"}, "Bool": {"aws:SecureTransport": "false"}`, "no"},
		{`"StringNotEquals": {"aws:username": "bob"}`, "yes"},
		{`"StringNotEquals": {"aws:username": ["bob", "alice"]}`, "no"},
		{`"StringEqualsIgnoreCase": {"aws:username": "ALICE"}`, "yes"},
		{`"StringEqualsIgnoreCase": {"kms:EncryptionContext:Paris": "ÉTÉ"}`, "yes"},
		{`"StringEqualsIgnoreCase": {"aws:username": "alic"}`, "no"},
		{`"StringEqualsIgnoreCase": {"aws:username": "ALICES"}`, "no"},
		{`"StringNotEqualsIgnoreCase": {"aws:username": "ALICE"}`, "no"},
		{`"StringLike": {"aws:username": "a*e"}`, "yes"},
		{`"StringLike": {"aws:username": "?lice"}`, "yes"},
		{`"StringLike": {"aws:username": "A*"}`, "no"},
		{`"StringLike": {"kms:EncryptionContext:paris": "?t?"}`, "yes"},
		{`"StringLike": {"aws:RequestTag/team": "a${*}"}`, "yes"},
		{`"StringLike": {"aws:username": "a${*}"}`, "no"},
		{`"StringNotLike": {"aws:username": "a*"}`, "no"},
		{`"StringNotLike": {"aws:username": "b*"}`, "yes"},

		{`"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::000000000000:user/${aws:username}"}`, "yes"},
		{`"StringEquals": {"aws:username": "${aws:userid}"}`, "?"},
		{`"StringNotEquals": {"aws:username": "${aws:userid}"}`, "?"},
		{`"StringEquals": {"aws:username": ["${aws:userid}", "alice"]}`, "yes"},
		{`"StringEquals": {"aws:username": "${aws:userid, 'alice'}"}`, "yes"},
		{`"StringEquals": {"aws:username": "${aws:TagKeys}"}`, "?"},
		{`"StringLike": {"aws:username": "${aws:RequestTag/team}"}`, "no"},

		{`"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}`, "yes"},
		{`"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::000000000000:user/ali?e"}`, "yes"},
		{`"ArnLike": {"aws:PrincipalArn": "arn:aws:*:user/alice:*:*"}`, "no"},
		{`"ArnLike": {"aws:PrincipalArn": "arn:aws:i*:*:*:*"}`, "yes"},
		{`"ArnLike": {"aws:PrincipalArn": "arn:*:000000000000:*:*:*"}`, "no"},
		{`"ArnLike": {"aws:PrincipalArn": "arn:aws:iam?:000000000000:*:*"}`, "no"},
		{`"ArnLike": {"aws:RequestTag/arn": "arn:aws:kms:*:*:key/*"}`, "yes"},
		{`"ArnLike": {"aws:RequestTag/arn": "arn:aws:kms:*:*:key/?:b"}`, "yes"},
		{`"ArnLike": {"aws:RequestTag/arn": "arn:aws:*:000000000000:*:*"}`, "no"},
		{`"ArnLike": {"aws:RequestTag/arn": "arn:aws:kms?us-east-1:000000000000:key/a:b"}`, "no"},
		{`"ArnLike": {"aws:RequestTag/arn": "${aws:RequestTag/prefix}*"}`, "no"},
		{`"ArnLike": {"aws:RequestTag/arn": "${aws:RequestTag/prefix}:*:*:*"}`, "yes"},
		{`"ArnLike": {"aws:PrincipalArn": "*"}`, "yes"},
		{`"ArnLike": {"aws:username": "*"}`, "?"},
		{`"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}`, "yes"},
		{`"ArnNotEquals": {"aws:PrincipalArn": "` + alice + `"}`, "no"},

		{`"Bool": {"aws:SecureTransport": "TRUE"}`, "yes"},
		{`"Bool": {"aws:SecureTransport": false}`, "no"},
		{`"Bool": {"aws:SecureTransport": [true, "false"]}`, "yes"},
		{`"Bool": {"aws:username": "true"}`, "?"},

		{`"NumericEquals": {"kms:RotationPeriodInDays": "90.0"}`, "yes"},
		{`"NumericNotEquals": {"kms:RotationPeriodInDays": 90}`, "no"},
		{`"NumericLessThan": {"kms:RotationPeriodInDays": 90}`, "no"},
		{`"NumericLessThanEquals": {"kms:RotationPeriodInDays": 90}`, "yes"},
		{`"NumericGreaterThan": {"kms:RotationPeriodInDays": [100, 89]}`, "yes"},
		{`"NumericGreaterThanEquals": {"kms:RotationPeriodInDays": "91"}`, "no"},
		{`"NumericLessThan": {"aws:username": "91"}`, "?"},
		{`"NumericNotEquals": {"aws:username": "91"}`, "?"},

		{`"DateEquals": {"aws:CurrentTime": "2026-06-15T14:00:00+02:00"}`, "yes"},
		{`"DateNotEquals": {"aws:CurrentTime": "2026-06-15"}`, "yes"},
		{`"DateGreaterThan": {"aws:CurrentTime": "2026-06-15T11:59Z"}`, "yes"},
		{`"DateGreaterThan": {"aws:CurrentTime": "2026-06-15T13:59+02:00"}`, "yes"},
		{`"DateGreaterThanEquals": {"aws:CurrentTime": "1781524800"}`, "yes"},
		{`"DateLessThan": {"aws:CurrentTime": 1781524800}`, "no"},
		{`"DateLessThanEquals": {"aws:CurrentTime": "2026-06-15T12:00:00.000Z"}`, "yes"},
		{`"DateLessThan": {"aws:username": "2026-06-15"}`, "?"},

		{`"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}`, "yes"},
		{`"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "10.1.2.3"]}`, "yes"},
		{`"IpAddress": {"aws:SourceIp": "10.1.2.4"}`, "no"},
		{`"IpAddress": {"aws:SourceIp": "::/0"}`, "no"},
		{`"IpAddress": {"aws:RequestTag/mapped": "10.0.0.0/8"}`, "yes"},
		{`"IpAddress": {"aws:RequestTag/six": "2001:DB8::/32"}`, "yes"},
		{`"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}`, "no"},
		{`"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}`, "yes"},
		{`"NotIpAddress": {"aws:username": "192.0.2.0/24"}`, "?"},

		// A key that is absent: only what is negated holds, and what expects that.
		{`"StringEquals": {"aws:userid": "x"}`, "no"},
		{`"StringEquals": {"aws:RequestTag/none": ""}`, "no"},
		{`"StringLike": {"aws:userid": "*"}`, "no"},
		{`"StringNotEquals": {"aws:userid": "x"}`, "yes"},
		{`"StringNotLike": {"aws:userid": "*"}`, "yes"},
		{`"ArnNotLike": {"aws:SourceArn": "*"}`, "yes"},
		{`"NumericNotEquals": {"aws:MultiFactorAuthAge": 1}`, "yes"},
		{`"NumericLessThan": {"aws:MultiFactorAuthAge": 1}`, "no"},
		{`"DateNotEquals": {"kms:ValidTo": "2026-06-15"}`, "yes"},
		{`"NotIpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}`, "yes"},
		{`"Bool": {"aws:MultiFactorAuthPresent": "false"}`, "no"},
		{`"Null": {"aws:userid": "true"}`, "yes"},
		{`"Null": {"aws:userid": false}`, "no"},
		{`"Null": {"aws:username": "false"}`, "yes"},
		{`"Null": {"aws:username": "true"}`, "no"},
		{`"Null": {"aws:RequestTag/none": "true"}`, "yes"},
		{`"Null": {"aws:username": [true, false]}`, "yes"},
		{`"StringEqualsIfExists": {"aws:userid": "x"}`, "yes"},
		{`"StringEqualsIfExists": {"aws:username": "x"}`, "no"},
		{`"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}`, "yes"},
		{`"ForAnyValue:StringEqualsIfExists": {"aws:userid": "x"}`, "yes"},

		// Keys of several values.
		{`"ForAnyValue:StringEquals": {"aws:TagKeys": ["team", "x"]}`, "yes"},
		{`"ForAnyValue:StringEquals": {"aws:TagKeys": ["x", "y"]}`, "no"},
		{`"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost", "x"]}`, "yes"},
		{`"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}`, "no"},
		{`"ForAllValues:StringLike": {"aws:TagKeys": ["t*", "c*"]}`, "yes"},
		{`"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["team"]}`, "yes"},
		{`"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["team", "cost"]}`, "no"},
		{`"ForAllValues:StringNotEquals": {"aws:TagKeys": ["x"]}`, "yes"},
		{`"ForAllValues:StringNotEquals": {"aws:TagKeys": ["x", "team"]}`, "no"},
		{`"ForAllValues:StringEquals": {"aws:userid": "x"}`, "yes"},
		{`"ForAllValues:StringNotEquals": {"aws:userid": "x"}`, "yes"},
		{`"ForAnyValue:StringEquals": {"aws:userid": "x"}`, "no"},
		{`"ForAnyValue:StringNotEquals": {"aws:userid": "x"}`, "no"},
		{`"StringEquals": {"aws:TagKeys": ["team", "cost"]}`, "yes"},
		{`"StringEquals": {"aws:TagKeys": ["x"]}`, "no"},
		{`"StringEquals": {"aws:TagKeys": ["team"]}`, "?"},
		{`"StringNotEquals": {"aws:TagKeys": ["team"]}`, "?"},
		{`"ForAnyValue:NumericEquals": {"aws:TagKeys": 1}`, "?"},

		{``, "yes"},
	} {
		allows, denies := decideCondition(t, test.condition, c)
		got := map[string]string{"true true": "yes", "false false": "no", "false true": "?"}[fmt.Sprint(allows, " ", denies)]
		if got != test.want {
			t.Errorf("{%s} holds: %q, want %q", test.condition, got, test.want)
		}
	}
}

// decideCondition says whether an Allow and a Deny with the condition apply.
func decideCondition(t *testing.T, condition string, c values) (allows, denies bool) {
	t.Helper()
	r := policy.Request{Principal: alice, Action: "kms:Encrypt", Resource: key, Context: c}
	with := `, "Condition": {` + condition + `}}`
	allow := identityPolicy(t, "allow", statements(`{Allow, Encrypt, AnyResource`+with))
	deny := identityPolicy(t, "deny", statements(mine, `{Deny, Encrypt, AnyResource`+with))
	return policy.Decide(r, policy.Sources{Identity: []*policy.Document{allow}}).Allowed(),
		!policy.Decide(r, policy.Sources{Identity: []*policy.Document{deny}}).Allowed()
}

// TestNoContext expects every key to be absent in a request without a Context.
func TestNoContext(t *testing.T) {
	for condition, want := range map[string]bool{
		`"StringEquals": {"aws:username": "alice"}`:           false,
		`"StringNotEquals": {"aws:username": "alice"}`:        true,
		`"StringEquals": {"aws:username": "${aws:username}"}`: false,
		`"Null": {"aws:username": "true"}`:                    true,
	} {
		d := identityPolicy(t, "p", statements(`{Allow, Encrypt, AnyResource, "Condition": {`+condition+`}}`))
		r := policy.Request{Principal: alice, Action: "kms:Encrypt", Resource: key}
		if got := policy.Decide(r, policy.Sources{Identity: []*policy.Document{d}}).Allowed(); got != want {
			t.Errorf("{%s} is allowed: %v, want %v", condition, got, want)
		}
	}
}
