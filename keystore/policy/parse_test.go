package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

// TestMalformedStatements has what stands wrong in a statement of a key policy, with
// the message that says so.
func TestMalformedStatements(t *testing.T) {
	const (
		valid     = `"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"`
		effect    = `"Effect": "Allow"`
		principal = `"Principal": "*"`
		action    = `"Action": "kms:*"`
		resource  = `"Resource": "*"`
	)
	join := func(elements ...string) string { return strings.Join(elements, ", ") }
	for _, test := range []struct{ statement, message string }{
		{join(principal, action, resource), `Statement[0]: has no Effect`},
		{join(`"Effect": "allow"`, principal, action, resource), `Statement[0].Effect: must be "Allow" or "Deny"`},
		{join(`"Effect": true`, principal, action, resource), `Statement[0].Effect: must be "Allow" or "Deny"`},
		{join(valid, `"Sid": 1`), `Statement[0].Sid: is a number, and must be a string`},
		{join(valid, `"Conditions": {}`), `Statement[0]: "Conditions" is not an element that may stand there`},
		{join(valid, `"effect": "Allow"`), `Statement[0]: "effect" is not an element that may stand there`},
		{join(valid, effect), `Statement[0]: "Effect" stands there twice`},

		{join(effect, action, resource), `Statement[0]: has neither Principal nor NotPrincipal`},
		{join(`"Effect": "Deny"`, principal, `"NotPrincipal": "*"`, action, resource), `Statement[0]: has both Principal and NotPrincipal`},
		{join(effect, `"NotPrincipal": "*"`, action, resource), `Statement[0].NotPrincipal: may stand with the Effect "Deny" only`},
		{join(effect, principal, resource), `Statement[0]: has neither Action nor NotAction`},
		{join(valid, `"NotAction": "kms:*"`), `Statement[0]: has both Action and NotAction`},
		{join(effect, principal, `"Action": []`, resource), `Statement[0].Action: is empty`},
		{join(effect, principal, `"Action": ""`, resource), `Statement[0].Action: is empty`},
		{join(effect, principal, `"Action": ["kms:*", 1]`, resource), `Statement[0].Action[1]: is a number, and must be a string or a list of strings`},
		{join(effect, principal, `"Action": {}`, resource), `Statement[0].Action: is an object, and must be a string or a list of strings`},
		{join(effect, principal, `"Action": [["kms:*"]]`, resource), `Statement[0].Action[0]: is a list, and must be a string or a list of strings`},
		{join(effect, principal, `"Action": null`, resource), `Statement[0].Action: is null, and must be a string or a list of strings`},
		{join(effect, principal, `"Action": "Encrypt"`, resource), `Statement[0].Action: "Encrypt" is not an action, such as "kms:Encrypt", "kms:*" or "*"`},
		{join(effect, principal, `"Action": "kms:"`, resource), `Statement[0].Action: "kms:" is not an action, such as "kms:Encrypt", "kms:*" or "*"`},
		{join(effect, principal, `"Action": "kms:Encrypt "`, resource), `Statement[0].Action: "kms:Encrypt " is not an action, such as "kms:Encrypt", "kms:*" or "*"`},
		{join(effect, principal, action), `Statement[0]: has neither Resource nor NotResource`},
		{join(valid, `"NotResource": "*"`), `Statement[0]: has both Resource and NotResource`},
		{join(effect, principal, action, `"Resource": "key/1"`), `Statement[0].Resource: "key/1" must be an ARN or "*"`},
		{join(effect, principal, action, `"Resource": "arn:${aws:username"`), `Statement[0].Resource: "${aws:username" has no end`},
		{join(effect, principal, action, `"Resource": "arn:${username}"`), `Statement[0].Resource: ${username} is not a policy variable`},
		{join(effect, principal, action, `"Resource": "arn:${}"`), `Statement[0].Resource: ${} is not a policy variable`},
		{join(effect, principal, action, `"Resource": "arn:${aws:username, x}"`), `Statement[0].Resource: the default of ${aws:username, x} is not in single quotes`},
	} {
		checkMalformed(t, `{"Version": "2012-10-17", "Statement": [{`+test.statement+`}]}`, test.message, test.message)
	}
}

func TestMalformedPrincipals(t *testing.T) {
	const invalid = "Policy contains a statement with one or more invalid principals."
	for _, test := range []struct{ principal, words, message string }{
		{`""`, `must be "*" or an object of principals`, invalid},
		{`"000000000000"`, `must be "*" or an object of principals`, invalid},
		{`{}`, `must be "*" or an object of principals`, invalid},
		{`["*"]`, `must be "*" or an object of principals`, invalid},
		{`{"AWS": "alice"}`, `"alice" is neither "*", an account nor the ARN of a principal`, invalid},
		{`{"AWS": "arn:aws:iam::000000000000:user/*"}`, `"arn:aws:iam::000000000000:user/*" is neither "*", an account nor the ARN of a principal`, invalid},
		{`{"AWS": "arn:aws:iam::000000000000:group/team"}`, `"arn:aws:iam::000000000000:group/team" is neither "*", an account nor the ARN of a principal`, invalid},
		{`{"AWS": "00000000000"}`, `"00000000000" is neither "*", an account nor the ARN of a principal`, invalid},
		{`{"AWS": "AIDACKCEVSQ6C2EXAMPLE"}`, `"AIDACKCEVSQ6C2EXAMPLE" is neither "*", an account nor the ARN of a principal`, invalid},
		{`{"Group": "*"}`, `is not a kind of principal`, invalid},
		{`{"AWS": []}`, `is empty`, ""},
		{`{"AWS": [1]}`, `is a number, and must be a string or a list of strings`, ""},
		{`{"Service": {}}`, `is an object, and must be a string or a list of strings`, ""},
	} {
		where := checkMalformed(t, `{"Statement": {"Effect": "Allow", "Principal": `+test.principal+`, "Action": "kms:*", "Resource": "*"}}`, test.words, test.message)
		if !strings.HasPrefix(where, "Statement.Principal") {
			t.Errorf("principal %s is wrong at %q", test.principal, where)
		}
	}
}

func TestMalformedConditions(t *testing.T) {
	const notInKeyPolicies = "These condition keys are not permitted in a key policy: aws:ResourceTag, kms:ResourceTag, kms:ResourceAliases"
	for _, test := range []struct{ condition, words string }{
		{`[]`, `Statement.Condition: is a list, and must be an object`},
		{`{"StringEquals": "x"}`, `Statement.Condition.StringEquals: is a string, and must be an object`},
		{`{"StringEquals": {}}`, `Statement.Condition.StringEquals: has no condition key`},
		{`{"StringMatches": {"aws:username": "x"}}`, `"StringMatches" is not a condition operator`},
		{`{"stringEquals": {"aws:username": "x"}}`, `"stringEquals" is not a condition operator`},
		{`{"BinaryEquals": {"aws:username": "eA=="}}`, `"BinaryEquals" is not a condition operator`},
		{`{"NumericLike": {"aws:username": "1"}}`, `"NumericLike" is not a condition operator`},
		{`{"NotBool": {"aws:username": "true"}}`, `"NotBool" is not a condition operator`},
		{`{"ForSomeValues:StringEquals": {"aws:username": "x"}}`, `"ForSomeValues:StringEquals" is not a condition operator`},
		{`{"StringEqualsIfExistsIfExists": {"aws:username": "x"}}`, `"StringEqualsIfExistsIfExists" is not a condition operator`},
		{`{"NullIfExists": {"aws:username": "true"}}`, `the operator Null has neither prefix nor suffix`},
		{`{"ForAnyValue:Null": {"aws:username": "true"}}`, `the operator Null has neither prefix nor suffix`},
		{`{"StringEquals": {"username": "x"}}`, `"username" is not a condition key`},
		{`{"StringEquals": {"aws:": "x"}}`, `"aws:" is not a condition key`},
		{`{"StringEquals": {"aws:username": "x", "aws:UserName": "y"}}`, `the condition key stands there twice, since case does not count`},
		{`{"StringEquals": {"aws:username": "x", "aws:username": "y"}}`, `"aws:username" stands there twice`},
		{`{"StringEquals": {"aws:username": "x"}, "StringEquals": {"aws:userid": "y"}}`, `"StringEquals" stands there twice`},
		{`{"StringEquals": {"kms:EncryptionContex:x": "x"}}`, `AWS KMS has no condition key "kms:EncryptionContex:x"`},
		{`{"StringEquals": {"kms:EncryptionContext:": "x"}}`, `AWS KMS has no condition key "kms:EncryptionContext:"`},
		{`{"StringEquals": {"kms:ResourceTag/x": "x"}}`, `AWS KMS has no condition key "kms:ResourceTag/x"`},
		{`{"StringEquals": {"aws:username": []}}`, `is empty`},
		{`{"StringEquals": {"aws:username": null}}`, `is null, and must be a string, a number or a boolean`},
		{`{"StringEquals": {"aws:username": ["x", {}]}}`, `StringEquals.aws:username[1]: is an object, and must be a string, a number or a boolean`},
		{`{"StringEquals": {"aws:username": "${aws:userid"}}`, `"${aws:userid" has no end`},
		{`{"StringEquals": {"aws:username": "${aws:*}"}}`, `${aws:*} is not a policy variable`},
		{`{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam"}}`, `"arn:aws:iam" is not an ARN: it has fewer than six segments`},
		{`{"Bool": {"aws:SecureTransport": "yes"}}`, `"yes" is neither true nor false`},
		{`{"Bool": {"aws:SecureTransport": "${aws:userid}"}}`, `"${aws:userid}" is neither true nor false`},
		{`{"Null": {"aws:username": "maybe"}}`, `"maybe" is neither true nor false`},
		{`{"NumericEquals": {"kms:RotationPeriodInDays": "many"}}`, `"many" is not a decimal number of at most 15 digits`},
		{`{"NumericEquals": {"kms:RotationPeriodInDays": ""}}`, `"" is not a decimal number of at most 15 digits`},
		{`{"NumericEquals": {"kms:RotationPeriodInDays": 1e3}}`, `"1e3" is not a decimal number of at most 15 digits`},
		{`{"NumericEquals": {"kms:RotationPeriodInDays": "NaN"}}`, `"NaN" is not a decimal number of at most 15 digits`},
		{`{"NumericEquals": {"kms:RotationPeriodInDays": "1.2.3"}}`, `"1.2.3" is not a decimal number of at most 15 digits`},
		{`{"NumericEquals": {"kms:RotationPeriodInDays": 1234567890123456}}`, `"1234567890123456" is not a decimal number of at most 15 digits`},
		{`{"DateLessThan": {"aws:CurrentTime": "tomorrow"}}`, `"tomorrow" is not a date`},
		{`{"DateLessThan": {"aws:CurrentTime": "2026"}}`, `"2026" is not a date`},
		{`{"DateLessThan": {"aws:CurrentTime": "2026-02-30"}}`, `"2026-02-30" is not a date`},
		{`{"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00"}}`, `"2026-01-01T00:00:00" is not a date`},
		{`{"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}`, `"10.0.0.0/33" is not an IP address, nor a range`},
		{`{"IpAddress": {"aws:SourceIp": "10.0.0"}}`, `"10.0.0" is not an IP address, nor a range`},
		{`{"IpAddress": {"aws:SourceIp": "fe80::1%eth0"}}`, `"fe80::1%eth0" is not an IP address, nor a range`},
		{`{"NotIpAddress": {"aws:SourceIp": "::ffff:10.0.0.0/104"}}`, `"::ffff:10.0.0.0/104" is not an IP address, nor a range`},
	} {
		checkMalformed(t, `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": `+test.condition+`}}`, test.words, "")
	}
	for _, key := range []string{"kms:ResourceAliases", "aws:ResourceTag/team"} {
		condition := `, "Condition": {"StringEquals": {"` + key + `": "x"}}}`
		checkMalformed(t, statements(`{Allow, "Principal": "*", Encrypt, AnyResource`+condition), "is not permitted in a key policy", notInKeyPolicies)
		identityPolicy(t, "p", statements(`{Allow, Encrypt, AnyResource`+condition))
	}
}

func TestMalformedDocuments(t *testing.T) {
	statement := `{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}`
	for _, test := range []struct{ document, words string }{
		{``, `line 1, column 1: not JSON: unexpected end of JSON input`},
		{`{`, `line 1, column 1: not JSON: unexpected end of JSON input`},
		{"{\n  \"Versiön\":, }", "line 2, column 13: not JSON: invalid character ','"},
		{`{"Statement": ` + statement + `} x`, `not JSON: invalid character 'x' after top-level value`},
		{`{"Statement": [` + statement + `,]}`, `not JSON`},
		{`[]`, `policy: is a list, and must be an object`},
		{`null`, `policy: is null, and must be an object`},
		{`"*"`, `policy: is a string, and must be an object`},
		{`{}`, `policy: has no Statement`},
		{`{"Statement": []}`, `Statement: is empty`},
		{`{"Statement": "x"}`, `Statement: is a string, and must be an object`},
		{`{"Statement": [` + statement + `, 1]}`, `Statement[1]: is a number, and must be an object`},
		{`{"Statement": [{"Sid": "a", ` + statement[1:] + `, ` + statement + `, {"Sid": "a", ` + statement[1:] + `]}`, `Statement[2]: has the Sid "a", as another statement has`},
		{`{"statement": ` + statement + `}`, `policy: "statement" is not an element that may stand there`},
		{`{"Version": "2012-10-18", "Statement": ` + statement + `}`, `Version: "2012-10-18" is neither "2012-10-17" nor "2008-10-17"`},
		{`{"Version": 2012, "Statement": ` + statement + `}`, `Version: is a number, and must be a string`},
		{`{"Id": [], "Statement": ` + statement + `}`, `Id: is a list, and must be a string`},
		{`{"Id": "a", "Id": "b", "Statement": ` + statement + `}`, `policy: "Id" stands there twice`},
		{`{"Id": "a", "\u0049d": "b", "Statement": ` + statement + `}`, `policy: "Id" stands there twice`},
		{`{"Id": "\ud800", "Statement": ` + statement + `}`, `Id: has a character that is not Unicode`},
		{"{\"Id\": \"\xff\", \"Statement\": " + statement + "}", `policy: is not UTF-8`},
		{`{"Id": ` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `}`, `Id[0][0][0][0][0][0][0]: stands in more than 8 objects and lists`},
		{strings.Repeat("[", 60000) + strings.Repeat("]", 60000), `exceeded max depth`},
		{`{"Id": "` + strings.Repeat("x", policy.MaxDocument) + `"}`, `policy: has 131082 characters, more than 131072`},
	} {
		checkMalformed(t, test.document, test.words, "")
	}
}

func TestMalformedIdentityPolicies(t *testing.T) {
	for _, text := range []string{statements(toAlice), statements(notAlice)} {
		_, err := policy.ParseIdentityPolicy("p", text)
		if err == nil || !strings.Contains(err.Error(), "has a principal, which an identity policy may not") {
			t.Errorf("ParseIdentityPolicy(%s): %v, want it to refuse the principal", text, err)
		}
	}
}

// checkMalformed expects a key policy to be refused with an error that contains the
// words, whose message for callers, if given, is that, and returns where the fault is.
func checkMalformed(t *testing.T, text, words, message string) (where string) {
	t.Helper()
	_, err := policy.ParseKeyPolicy(text)
	var refused *policy.MalformedError
	if !errors.As(err, &refused) {
		t.Errorf("ParseKeyPolicy(%.200s): %v, want a MalformedError", text, err)
		return ""
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("ParseKeyPolicy(%.200s): %v, want it to say %s", text, err, words)
	}
	if message != "" && refused.Message() != message {
		t.Errorf("ParseKeyPolicy(%.200s): the message is %q, want %q", text, refused.Message(), message)
	}
	if message == "" && refused.Message() == "" {
		t.Errorf("ParseKeyPolicy(%.200s): there is no message", text)
	}
	return refused.Where
}

func TestWellFormed(t *testing.T) {
	for _, text := range []string{
		tenStatements,
		`{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {}}}`,
		`{"Id": "", "Statement": [{"Sid": "", "Effect": "Deny", "NotPrincipal": {"AWS": "*", "CanonicalUser": ["x"]}, "NotAction": "iam:*", "NotResource": "arn:aws:s3:::b"}]}`,
		statements(`{Allow, "Principal": "*", Encrypt, AnyResource, "Condition": {"StringLike": {"saml:sub": "$ $$ ${$} 5$"}}}`),
		statements(`{Allow, "Principal": "*", Encrypt, AnyResource, "Condition": {"ArnLike": {"aws:SourceArn": "${aws:PrincipalArn}"}}}`),
	} {
		keyPolicy(t, text)
	}
}

func TestKnownConditionKeys(t *testing.T) {
	known := policy.KnownConditionKeys()
	if !slices.IsSorted(known) || len(known) < 40 {
		t.Errorf("KnownConditionKeys: %q", known)
	}
	for _, name := range known {
		name = strings.NewReplacer("<key>", "x", "<n>", "0").Replace(name)
		identityPolicy(t, "p", statements(fmt.Sprintf(`{Allow, Encrypt, AnyResource, "Condition": {"StringEquals": {%q: "x"}}}`, name)))
	}
}
