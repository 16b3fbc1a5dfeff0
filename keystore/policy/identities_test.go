package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

func encryptPolicy(t *testing.T, name string) *policy.Document {
	t.Helper()
	d, err := policy.ParseIdentityPolicy(name, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}}`)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestIdentitiesOf(t *testing.T) {
	identities, err := policy.NewIdentities(
		map[string]*policy.Document{"own": encryptPolicy(t, "own")},
		map[string][]string{
			"arn:aws:iam::000000000000:user/ada":                  {"admin", "own"},
			"arn:aws:iam::000000000000:role/team/app":             {"user"},
			"arn:aws:sts::000000000000:assumed-role/app/audited":  {"auditor"},
			"arn:aws:sts::000000000000:assumed-role/alone/single": {"user"},
		},
		map[string][]*policy.Document{"arn:aws:iam::000000000000:user/ada": {encryptPolicy(t, "inline")}})
	if err != nil {
		t.Fatal(err)
	}
	for principal, want := range map[string][]string{
		"arn:aws:iam::000000000000:user/ada":                  {"admin", "own", "inline"},
		"arn:aws:iam::000000000000:role/team/app":             {"user"},
		"arn:aws:iam::000000000000:role/app":                  nil,
		"arn:aws:sts::000000000000:assumed-role/app/any":      {"user"},
		"arn:aws:sts::000000000000:assumed-role/app/audited":  {"auditor", "user"},
		"arn:aws:sts::111111111111:assumed-role/app/any":      nil,
		"arn:aws:sts::000000000000:assumed-role/team/app":     nil,
		"arn:aws:sts::000000000000:assumed-role/alone/single": {"user"},
		"arn:aws:sts::000000000000:assumed-role/alone/other":  nil,
		"arn:aws:sts::000000000000:federated-user/app":        nil,
		"": nil,
	} {
		var got []string
		for _, d := range identities.Of(principal) {
			got = append(got, d.Name())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("policies of %q (-want +got):\n%s", principal, diff)
		}
	}
	if (*policy.Identities)(nil).Of(adaAdmin) != nil {
		t.Error("a nil *Identities knows somebody")
	}
}

func TestIdentitiesAreRefused(t *testing.T) {
	keyPolicy, err := policy.ParseKeyPolicy(policy.DefaultKeyPolicy("000000000000"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		documents map[string]*policy.Document
		attached  map[string][]string
		inline    map[string][]*policy.Document
		want      string
	}{
		{documents: map[string]*policy.Document{"admin": encryptPolicy(t, "admin")}, want: `policy "admin": that is the name of a built-in policy`},
		{documents: map[string]*policy.Document{"key": keyPolicy}, want: `policy "key" is not an identity policy`},
		{documents: map[string]*policy.Document{"none": nil}, want: `policy "none" is not an identity policy`},
		{inline: map[string][]*policy.Document{adaAdmin: {keyPolicy}}, want: `principal "` + adaAdmin + `" has an inline policy that is not an identity policy`},
		{inline: map[string][]*policy.Document{adaAdmin: {}}, want: `principal "` + adaAdmin + `" has no policy`},
		{
			attached: map[string][]string{"arn:aws:iam::000000000000:role/app": {"user"}, "arn:aws:iam::000000000000:role/team/app": {"auditor"}},
			want:     `principal "arn:aws:iam::000000000000:role/team/app": account 000000000000 has another role "app"`,
		},
	} {
		_, err := policy.NewIdentities(test.documents, test.attached, test.inline)
		if !errors.Is(err, policy.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("NewIdentities: %v, want ErrInvalid that says %q", err, test.want)
		}
	}
}
