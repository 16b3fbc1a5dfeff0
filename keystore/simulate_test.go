package keystore

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

func (s *service) simulate(req *operatorv1.SimulatePolicyRequest) *operatorv1.SimulatePolicyResponse {
	s.t.Helper()
	res, err := s.Operator().SimulatePolicy(s.as(auditor), req)
	s.must(err)
	return res
}

// asking is a simulation of an action on a key.
func asking(principal, action, key string, change ...func(*operatorv1.SimulatePolicyRequest)) *operatorv1.SimulatePolicyRequest {
	req := &operatorv1.SimulatePolicyRequest{Principal: &principal, Action: &action}
	if key != "" {
		req.KeyId = &key
	}
	for _, f := range change {
		f(req)
	}
	return req
}

func given(key string, values ...string) func(*operatorv1.SimulatePolicyRequest) {
	return func(r *operatorv1.SimulatePolicyRequest) {
		r.Context = append(r.Context, &operatorv1.ConditionValue{Key: &key, Values: values})
	}
}

func draftKeyPolicy(text string) func(*operatorv1.SimulatePolicyRequest) {
	return func(r *operatorv1.SimulatePolicyRequest) { r.KeyPolicy = &text }
}

func draftIdentity(texts ...string) func(*operatorv1.SimulatePolicyRequest) {
	return func(r *operatorv1.SimulatePolicyRequest) { r.IdentityPolicies = texts }
}

func inContext(pairs map[string]string) func(*operatorv1.SimulatePolicyRequest) {
	return func(r *operatorv1.SimulatePolicyRequest) { r.EncryptionContext = pairs }
}

// allowIf is a policy that allows everything under a condition.
func allowIf(condition string) string {
	return `{"Version":"2012-10-17","Statement":{"Sid":"Draft","Effect":"Allow","Action":"*","Resource":"*","Condition":` + condition + `}}`
}

const denyAll = `{"Version":"2012-10-17","Statement":{"Sid":"Off","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}}`

// TestSimulationSaysWhetherAndWhy has a key with an alias, a tag, AWS's default
// policy, and a grant to nobody for the department of cakes.
func TestSimulationSaysWhetherAndWhy(t *testing.T) {
	t.Parallel()
	s := startService(t)
	tagged, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{Tags: []*kmsv1.Tag{{TagKey: new("team"), TagValue: new("billing")}}})
	s.must(err)
	key := tagged.KeyMetadata
	s.must(s.createAlias("alias/payroll", key.KeyId))
	grant := s.grant(admin, &kmsv1.CreateGrantRequest{
		KeyId: key.KeyId, GranteePrincipal: new(nobody), Operations: []kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT},
		Constraints: &kmsv1.GrantConstraints{EncryptionContextSubset: map[string]string{"dept": "cakes"}},
	})
	const (
		byUser     = `policy "user", statement 1 (Use)`
		byDraft    = `policy "draft 1", statement 1 (Draft)`
		noIdentity = "because no identity-based policy allows the kms:Encrypt action"
	)
	id, arn := key.GetKeyId(), key.GetArn()
	for what, tc := range map[string]struct {
		req        *operatorv1.SimulatePolicyRequest
		by, reason string // of allowed and of denied ones
	}{
		"by key id":        {req: asking(app, "kms:Encrypt", id), by: byUser},
		"by key ARN":       {req: asking(app, "kms:Encrypt", arn), by: byUser},
		"by alias":         {req: asking(app, "kms:Encrypt", "alias/payroll"), by: byUser},
		"by alias ARN":     {req: asking(app, "kms:Encrypt", strings.Replace(arn, "key/"+id, "alias/payroll", 1)), by: byUser},
		"in any spelling":  {req: asking(app, "KMS:encrypt", id), by: byUser},
		"without a key":    {req: asking(app, "kms:ListKeys", ""), by: `policy "user", statement 2 (ReadAbout)`},
		"of an operator":   {req: asking(auditor, "strongroom:StreamEvents", ""), by: `policy "auditor", statement 1`},
		"to no avail":      {req: asking(nobody, "kms:Encrypt", id), reason: noIdentity},
		"by the grant":     {req: asking(nobody, "kms:Encrypt", id, inContext(map[string]string{"dept": "cakes", "n": "1"})), by: "grant " + grant.GetGrantId()},
		"not by the grant": {req: asking(nobody, "kms:Encrypt", id, inContext(map[string]string{"dept": "pies"})), reason: noIdentity},
		"another account": {
			req: asking("arn:aws:iam::111111111111:user/eve", "kms:ScheduleKeyDeletion", id), reason: "because it cannot be done from another account",
		},
		"drafted identity":    {req: asking(nobody, "kms:Encrypt", id, draftIdentity(allowIf(`{}`))), by: byDraft},
		"drafted key policy":  {req: asking(app, "kms:Encrypt", id, draftKeyPolicy(denyAll)), reason: "with an explicit deny in a resource-based policy"},
		"what the key is":     {req: asking(nobody, "kms:Encrypt", id, draftIdentity(allowIf(`{"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT","aws:ResourceTag/team":"billing","kms:ResourceAliases":"alias/payroll"}}`))), by: byDraft},
		"who the caller is":   {req: asking(nobody, "kms:Encrypt", id, draftIdentity(allowIf(`{"StringEquals":{"aws:PrincipalArn":"`+nobody+`","aws:PrincipalAccount":"000000000000"}}`))), by: byDraft},
		"how it names a key":  {req: asking(nobody, "kms:Encrypt", "alias/payroll", draftIdentity(allowIf(`{"StringEquals":{"kms:RequestAlias":"alias/payroll"}}`))), by: byDraft},
		"its algorithm":       {req: asking(nobody, "kms:Encrypt", id, draftIdentity(allowIf(`{"StringEquals":{"kms:EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}}`))), by: byDraft},
		"its context":         {req: asking(nobody, "kms:Encrypt", id, inContext(map[string]string{"a": "b"}), draftIdentity(allowIf(`{"StringEquals":{"kms:EncryptionContext:a":"b"}}`))), by: byDraft},
		"the new context":     {req: asking(nobody, "kms:ReEncryptTo", id, inContext(map[string]string{"a": "b"}), draftIdentity(allowIf(`{"StringEquals":{"kms:EncryptionContext:a":"b"}}`))), by: byDraft},
		"an address unknown":  {req: asking(nobody, "kms:Encrypt", id, draftIdentity(allowIf(`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`))), reason: noIdentity},
		"an address given":    {req: asking(nobody, "kms:Encrypt", id, given("aws:SourceIp", "192.0.2.1"), draftIdentity(allowIf(`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`))), by: byDraft},
		"TLS unknown":         {req: asking(nobody, "kms:Encrypt", id, draftIdentity(allowIf(`{"Null":{"aws:SecureTransport":"true","kms:ReEncryptOnSameKey":"true"}}`))), by: byDraft},
		"what is given wins":  {req: asking(nobody, "kms:Encrypt", id, given("KMS:KeySpec", "RSA_2048"), draftIdentity(allowIf(`{"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT"}}`))), reason: noIdentity},
		"several are given":   {req: asking(nobody, "kms:CreateGrant", id, given("kms:GrantOperations", "Encrypt", "Decrypt"), draftIdentity(allowIf(`{"ForAllValues:StringEquals":{"kms:GrantOperations":["Encrypt","Decrypt"]}}`))), by: byDraft},
		"a tag that is given": {req: asking(nobody, "kms:CreateKey", "", given("aws:RequestTag/team", "x"), draftIdentity(allowIf(`{"StringEquals":{"aws:RequestTag/team":"x"}}`))), by: byDraft},
	} {
		res := s.simulate(tc.req)
		if res.GetAllowed() != (tc.reason == "") || res.GetReason() != tc.reason || (tc.by != "" && res.GetDecidedBy() != tc.by) {
			t.Errorf("%s: %v", what, res)
		}
		if len(res.GetExplanation()) == 0 {
			t.Errorf("%s: no explanation", what)
		}
	}
}

// TestSimulationExplains reads an explanation, and the event that it leaves.
func TestSimulationExplains(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	res := s.simulate(asking(app, "kms:DisableKey", key.GetKeyId()))
	want := []string{
		`key policy, statement 1 (Enable IAM User Permissions): allows what an identity policy allows too, since it names the account`,
		`policy "user", statement 1 (Use): does not apply: it is not about this action`,
		`policy "user", statement 2 (ReadAbout): does not apply: it is not about this action`,
		`no grant allows it`,
		`denied, because no identity-based policy allows the kms:DisableKey action`,
	}
	if diff := cmp.Diff(want, res.GetExplanation()); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
	if e := s.lastEvent(); e.EventName != "SimulatePolicy" || !e.ReadOnly || e.RequestParameters["principal"] != app || e.RequestParameters["action"] != "kms:DisableKey" {
		t.Errorf("the event is %+v", e)
	}
	for action, proviso := range map[string]string{
		"kms:CreateGrant": "a grant that is made by way of a grant may give no more than that one",
		"kms:RetireGrant": "the retiring principal of a grant may retire it, and so may its grantee if RetireGrant is one of its operations, unless a policy denies it",
		"kms:DeleteAlias": "the principal needs the same action on the alias, of an identity policy",
	} {
		s.grant(admin, &kmsv1.CreateGrantRequest{KeyId: key.KeyId, GranteePrincipal: new(nobody), Operations: []kmsv1.GrantOperation{
			kmsv1.GrantOperation_GRANT_OPERATION_CREATE_GRANT, kmsv1.GrantOperation_GRANT_OPERATION_RETIRE_GRANT,
		}})
		lines := s.simulate(asking(nobody, action, key.GetKeyId())).GetExplanation()
		allowed := strings.HasPrefix(lines[len(lines)-1], "allowed by grant ")
		if lines[len(lines)-2] != proviso || allowed != (action == createGrant) {
			t.Errorf("%s: %q", action, lines)
		}
	}
	_, err := s.Operator().SimulatePolicy(s.as(app), asking(app, "kms:ListKeys", ""))
	wantKind(t, "a simulation by a user", err, annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED)
}

// TestSimulationRefusesWhatItCannotImagine wants each fault to be found in its field.
func TestSimulationRefusesWhatItCannotImagine(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey().GetKeyId()
	for want, req := range map[string]*operatorv1.SimulatePolicyRequest{
		"Principal: ":                       asking("arn:aws:iam::000000000000:group/g", "kms:Encrypt", key),
		`Action: there is no action "kms:E`: asking(app, "kms:Encryp", key),
		`Action: there is no action "s3:Ge`: asking(app, "s3:GetObject", key),
		"KeyId: Key 'arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555' does not exist": asking(app, "kms:Encrypt", "11111111-2222-3333-4444-555555555555"),
		"KeyId: Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found.":                                asking(app, "kms:Encrypt", "alias/none"),
		"KeyId: kms:Encrypt is done with a key, and none is named.":                                               asking(app, "kms:Encrypt", ""),
		"KeyId: kms:ListKeys is not done with a key.":                                                             asking(app, "kms:ListKeys", key),
		"KeyPolicy: Statement.Effect: ":                                                                           asking(app, "kms:Encrypt", key, draftKeyPolicy(strings.Replace(denyAll, "Deny", "Never", 1))),
		"KeyPolicy: it has 32769 characters, and a key policy at most":                                            asking(app, "kms:Encrypt", key, draftKeyPolicy(strings.Repeat(" ", 32769))),
		"KeyPolicy: it is the draft of a key's policy":                                                            asking(app, "kms:ListKeys", "", draftKeyPolicy(denyAll)),
		"IdentityPolicies[1]: Statement: has a principal":                                                         asking(app, "kms:Encrypt", key, draftIdentity(allowIf(`{}`), denyAll)),
		"IdentityPolicies[0]: line 1, column ":                                                                    asking(app, "kms:Encrypt", key, draftIdentity("nonsense")),
		`Context[1].Key: no request has the condition key "kms:Via`:                                               asking(app, "kms:Encrypt", key, given("kms:KeySpec", "x"), given("kms:ViaService", "x")),
		`Context[0].Key: no request has the condition key "aws:Requ`:                                              asking(app, "kms:Encrypt", key, given("aws:RequestTag/", "x")),
		`Context[1].Key: "KMS:KEYSPEC" is there twice.`:                                                           asking(app, "kms:Encrypt", key, given("kms:KeySpec", "x"), given("KMS:KEYSPEC", "x")),
		"EncryptionContext: a request of kms:DescribeKey has none.":                                               asking(app, "kms:DescribeKey", key, inContext(map[string]string{"a": "b"})),
	} {
		_, err := s.Operator().SimulatePolicy(s.as(admin), req)
		wantKind(t, want, err, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION)
		if err != nil && !strings.HasPrefix(AsError(err).Message, want) {
			t.Errorf("%q, want %q", AsError(err).Message, want)
		}
	}
}

// TestSimulationIsOfARegion finds a key in the Region that the call names.
func TestSimulationIsOfARegion(t *testing.T) {
	t.Parallel()
	s, r := startRegions(t, virginia, ireland)
	req := asking(app, "kms:Encrypt", s.createIn(r, ireland).GetKeyId(), draftIdentity(allowIf(`{"StringEquals":{"aws:RequestedRegion":"`+ireland+`"}}`)))
	for _, region := range []string{ireland, virginia, "", "ap-south-1"} {
		ctx := NewContext(t.Context(), Caller{Principal: admin, Region: region})
		res, err := r.Operator().SimulatePolicy(ctx, req)
		if region != ireland {
			wantKind(t, region, err, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION)
		} else if err != nil || !res.GetAllowed() {
			t.Errorf("in %s: %v, %v", region, res, err)
		}
	}
	if _, err := r.Operator().SimulatePolicy(NewContext(t.Context(), Caller{Principal: admin, Region: "ap-south-1"}), asking(app, "kms:ListKeys", "")); err == nil ||
		AsError(err).Message != "The request names a Region that this server does not have. It has: us-east-1, eu-west-1." {
		t.Errorf("in a Region that there is not: %v", err)
	}
	second, _ := r.Region(ireland)
	second.view.mu.Lock()
	second.view.broken = errors.New("the watch ended")
	second.view.mu.Unlock()
	_, err := r.Operator().SimulatePolicy(NewContext(t.Context(), Caller{Principal: admin, Region: ireland}), req)
	wantKind(t, "of what is not up to date", err, notFresh)
}
