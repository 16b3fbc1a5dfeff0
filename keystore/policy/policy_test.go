package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

const (
	adaAdmin   = "arn:aws:iam::000000000000:user/ada"
	umaUser    = "arn:aws:iam::000000000000:role/app/uma"
	axelAudit  = "arn:aws:iam::000000000000:user/axel"
	bothUserAu = "arn:aws:sts::000000000000:assumed-role/both/session"
	stranger   = "arn:aws:iam::000000000000:user/stranger"
	key        = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// identitySet decides by identity policies alone, the built-in ones.
type identitySet struct{ *policy.Identities }

func newIdentitySet(policies map[string][]string) (*identitySet, error) {
	i, err := policy.NewIdentities(nil, policies, nil)
	return &identitySet{i}, err
}

func (s *identitySet) Allows(r policy.Request) policy.Decision {
	return policy.Decide(r, policy.Sources{Identity: s.Of(r.Principal)})
}

func newSet(t *testing.T) *identitySet {
	t.Helper()
	set, err := newIdentitySet(map[string][]string{
		adaAdmin:   {"admin"},
		umaUser:    {"user"},
		axelAudit:  {"auditor"},
		bothUserAu: {"user", "auditor"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

type outcome struct {
	request policy.Request
	by      string // the policy that allows, as Decision.By begins, or ""
}

func allow(principal, action, resource, by string) outcome {
	return outcome{policy.Request{Principal: principal, Action: action, Resource: resource}, by}
}

func deny(principal, action, resource string) outcome {
	return allow(principal, action, resource, "")
}

func TestAllows(t *testing.T) {
	set := newSet(t)
	for _, test := range []outcome{
		allow(adaAdmin, "kms:CreateKey", "*", `policy "admin"`),
		allow(adaAdmin, "kms:Decrypt", key, `policy "admin"`),
		allow(adaAdmin, "strongroom:StreamEvents", "*", `policy "admin"`),
		deny(adaAdmin, "iam:CreateUser", "*"),
		deny(adaAdmin, "kmsx:Decrypt", key),
		deny(adaAdmin, "kms", key),

		allow(umaUser, "kms:Encrypt", key, `policy "user"`),
		allow(umaUser, "kms:Decrypt", key, `policy "user"`),
		allow(umaUser, "kms:DescribeKey", key, `policy "user"`),
		allow(umaUser, "kms:GenerateDataKey", key, `policy "user"`),
		allow(umaUser, "kms:GenerateDataKeyWithoutPlaintext", key, `policy "user"`),
		allow(umaUser, "kms:GenerateRandom", "*", `policy "user"`),
		allow(umaUser, "kms:ListKeys", "*", `policy "user"`),
		deny(umaUser, "kms:CreateKey", "*"),
		deny(umaUser, "kms:DisableKey", key),
		deny(umaUser, "kms:ScheduleKeyDeletion", key),
		deny(umaUser, "kms:ListGrants", key),
		deny(umaUser, "kms:GenerateData", key),
		deny(umaUser, "kms:*", key),
		deny(umaUser, "strongroom:StreamEvents", "*"),

		allow(axelAudit, "strongroom:StreamEvents", "*", `policy "auditor"`),
		allow(axelAudit, "strongroom:StreamHsmLog", "*", `policy "auditor"`),
		allow(axelAudit, "strongroom:DescribeHsms", "*", `policy "auditor"`),
		allow(axelAudit, "strongroom:SimulatePolicy", "*", `policy "auditor"`),
		deny(axelAudit, "strongroom:RestartHsm", "*"),
		deny(axelAudit, "kms:Decrypt", key),
		deny(axelAudit, "kms:ListKeys", "*"),

		allow(bothUserAu, "kms:Encrypt", key, `policy "user"`),
		allow(bothUserAu, "strongroom:StreamEvents", "*", `policy "auditor"`),
		deny(bothUserAu, "kms:CreateKey", "*"),

		deny(stranger, "kms:Encrypt", key),
		deny("", "kms:Encrypt", key),
		deny(strings.ToUpper(adaAdmin), "kms:Encrypt", key),
		deny(adaAdmin, "", key),
		deny(adaAdmin, "kms:Encrypt", ""),
	} {
		decision := set.Allows(test.request)
		if decision.Allowed() != (test.by != "") || !strings.HasPrefix(decision.By(), test.by) {
			t.Errorf("%+v is allowed: %v, by %q, want by %q",
				test.request, decision.Allowed(), decision.By(), test.by)
		}
	}
}

func TestZeroValuesDeny(t *testing.T) {
	var set identitySet
	if set.Allows(policy.Request{Principal: adaAdmin, Action: "kms:Encrypt", Resource: key}).Allowed() {
		t.Error("the zero Set allows something")
	}
	var decision policy.Decision
	if decision.Allowed() {
		t.Error("the zero Decision allows")
	}
}

func TestReason(t *testing.T) {
	set := newSet(t)
	denied := set.Allows(policy.Request{Principal: umaUser, Action: "kms:CreateKey", Resource: "*"})
	if got, want := denied.Reason(), "because no identity-based policy allows the kms:CreateKey action"; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}
	allowed := set.Allows(policy.Request{Principal: umaUser, Action: "kms:Encrypt", Resource: key})
	if got := allowed.Reason(); got != "" {
		t.Errorf("the reason of an allowed request is %q, want none", got)
	}
}

func TestBuiltins(t *testing.T) {
	want := []string{"admin", "auditor", "user"}
	if diff := cmp.Diff(want, policy.Builtins()); diff != "" {
		t.Errorf("Builtins (-want +got):\n%s", diff)
	}
}

func TestPrincipals(t *testing.T) {
	tests := []struct {
		arn   string
		valid bool
	}{
		{"arn:aws:iam::000000000000:root", true},
		{"arn:aws:iam::000000000000:user/ada", true},
		{"arn:aws:iam::000000000000:user/team/a+b=c,d.e@f-g_h", true},
		{"arn:aws:iam::000000000000:role/app", true},
		{"arn:aws-us-gov:iam::000000000000:role/app", true},
		{"arn:aws:sts::000000000000:assumed-role/app/session", true},
		{"arn:aws:iam::000000000000:user/" + strings.Repeat("a", 225), true},
		{"arn:aws:iam::000000000000:user/" + strings.Repeat("a", 226), false},
		{"", false},
		{"ada", false},
		{"*", false},
		{"arn:aws:iam::000000000000:user/", false},
		{"arn:aws:iam::000000000000:user/*", false},
		{"arn:aws:iam::000000000000:user/ada ", false},
		{"arn:aws:iam::000000000000:user/ada\n", false},
		{"arn:aws:iam::0000:user/ada", false},
		{"arn:aws:iam:us-east-1:000000000000:user/ada", false},
		{"arn:aws:iam::000000000000:group/team", false},
		{"arn:aws:iam::000000000000:rooted", false},
		{key, false},
	}
	for _, test := range tests {
		_, err := newIdentitySet(map[string][]string{test.arn: {"user"}})
		if (err == nil) != test.valid {
			t.Errorf("principal %q: %v, want it accepted: %v", test.arn, err, test.valid)
		}
	}
}

// TestFaultsAreNamed expects one error that names every fault of a configuration.
func TestFaultsAreNamed(t *testing.T) {
	_, err := newIdentitySet(map[string][]string{
		adaAdmin:  {"admin"},
		umaUser:   {"user", "superuser"},
		axelAudit: {},
		stranger:  {"user", "admin", "user"},
		"nobody":  {"user"},
	})
	if !errors.Is(err, policy.ErrInvalid) {
		t.Fatalf("New: %v, want ErrInvalid", err)
	}
	for _, words := range []string{
		`principal "` + umaUser + `": there is no policy "superuser", only ["admin" "auditor" "user"]`,
		`principal "` + axelAudit + `" has no policy`,
		`principal "` + stranger + `" has the policy "user" twice`,
		`principal "nobody" is not the ARN`,
	} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %q, want it to say %q", err, words)
		}
	}
	if strings.Contains(err.Error(), adaAdmin) {
		t.Errorf("the error is %q, but %s is in order", err, adaAdmin)
	}
}
