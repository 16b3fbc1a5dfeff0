package keystore

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// startDirectory is a service in two Regions whose configuration has a policy and
// a certificate name of admin.
func startDirectory(t *testing.T) (*service, *Regions) {
	t.Helper()
	s := newService(t)
	s.initToken()
	r, err := s.tryRegions(func(c *Config) {
		c.Policies = map[string]string{"configured": mayList}
		c.CertificateNames = map[string]string{"admin.corp": admin}
	}, virginia, ireland)
	s.must(err)
	t.Cleanup(func() { s.closeRegions(r) })
	return s, r
}

// mayListKeys says whether a principal may list keys, in which all Regions must
// agree.
func (s *service) mayListKeys(r *Regions, principal string) bool {
	s.t.Helper()
	allowed := 0
	for _, region := range r.Names() {
		k, _ := r.Region(region)
		_, err := k.ListKeys(s.as(principal), new(kmsv1.ListKeysRequest))
		if err == nil {
			allowed++
		} else if kindOf(err) != denied {
			s.t.Fatal(err)
		}
	}
	if allowed != 0 && allowed != len(r.Names()) {
		s.t.Errorf("%s may list keys in %d of %d Regions", principal, allowed, len(r.Names()))
	}
	return allowed > 0
}

// TestEachChangeIsInForceWhenItIsAnswered makes, changes and deletes a principal
// and its policy, and looks after each answer at what it may do and whose its
// certificates are.
func TestEachChangeIsInForceWhenItIsAnswered(t *testing.T) {
	t.Parallel()
	s, r := startDirectory(t)
	o := r.Operator()
	remove := func() error {
		_, err := o.DeletePrincipal(s.as(admin), &operatorv1.DeletePrincipalRequest{Arn: new(bob)})
		return err
	}
	before := "" // bob's identity
	for _, step := range []struct {
		name    string
		do      func() error
		allowed bool
		known   string // whose the certificate is
		same    bool   // bob is there, and is who he was before
	}{
		{"nobody yet", func() error { return nil }, false, "", false},
		{"made without policies", func() error { s.putPrincipal(bob, []string{bobsName}); return nil }, false, bob, false},
		{"given a built-in policy", func() error { s.putPrincipal(bob, []string{bobsName}, "user"); return nil }, true, bob, true},
		{"given the auditor's instead", func() error { s.putPrincipal(bob, []string{bobsName}, "auditor"); return nil }, false, bob, true},
		{"given the configuration's", func() error { s.putPrincipal(bob, []string{bobsName}, "configured"); return nil }, true, bob, true},
		{"its name taken", func() error { s.putPrincipal(bob, []string{"bob.corp"}, "configured"); return nil }, true, "", false},
		{"given a stored one", func() error {
			s.putIdentityPolicy("lister", mayList)
			s.putPrincipal(bob, []string{bobsName}, "lister", "auditor")
			return nil
		}, true, bob, false},
		{"the stored one denies", func() error { s.putIdentityPolicy("lister", mayNothing); return nil }, false, bob, true},
		{"the stored one allows", func() error { s.putIdentityPolicy("lister", mayList); return nil }, true, bob, true},
		{"deleted", remove, false, "", false},
		{"made again", func() error { s.putPrincipal(bob, []string{bobsName}, "lister"); return nil }, true, bob, false},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := s.mayListKeys(r, bob); got != step.allowed {
			t.Errorf("%s: may list keys: %t", step.name, got)
		}
		if got := r.PrincipalOf([]string{bobsName}, nil); got != step.known {
			t.Errorf("%s: the certificate is that of %q, want %q", step.name, got, step.known)
		}
		identity := r.PrincipalIdentity(bob)
		if got := identity != "" && identity == before; got != step.same {
			t.Errorf("%s: bob is who he was before: %t", step.name, got)
		}
		before = identity
	}
	if got := r.PrincipalOf(nil, []string{"admin.corp"}); got != admin {
		t.Errorf("the configured certificate is that of %q", got)
	}
	if before == "" || r.PrincipalIdentity(admin) == "" {
		t.Error("a principal is not there")
	}
}

// TestPrincipalsAndPoliciesOutliveARestart looks at them before and after one.
func TestPrincipalsAndPoliciesOutliveARestart(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.start()
	s.addDirectory()
	before := s.listDirectory()
	s.stop()
	s.start()
	defer s.stop()
	if diff := cmp.Diff(before, s.listDirectory(), protocmp.Transform()); diff != "" {
		t.Errorf("(-before +after the restart):\n%s", diff)
	}
	if _, err := s.ListKeys(s.as(bob), new(kmsv1.ListKeysRequest)); err != nil {
		t.Errorf("bob may not list keys any more: %v", err)
	}
}

// directoryLists are both lists.
type directoryLists struct {
	Principals []*operatorv1.Principal
	Policies   []*operatorv1.IdentityPolicy
}

func (s *service) listDirectory() directoryLists {
	s.t.Helper()
	principals, err := s.Operator().ListPrincipals(s.as(admin), new(operatorv1.ListPrincipalsRequest))
	s.must(err)
	policies, err := s.Operator().ListIdentityPolicies(s.as(admin), new(operatorv1.ListIdentityPoliciesRequest))
	s.must(err)
	return directoryLists{principals.GetPrincipals(), policies.GetPolicies()}
}

func TestListsHaveWhatIsConfiguredAndWhatIsStored(t *testing.T) {
	t.Parallel()
	s, _ := startDirectory(t)
	s.addDirectory()
	want := directoryLists{
		Principals: []*operatorv1.Principal{
			{Arn: new(auditor), Policies: []string{"auditor"}, Configured: new(true)},
			{Arn: new(admin), Names: []string{"admin.corp"}, Policies: []string{"admin"}, Configured: new(true)},
			{Arn: new(app), Policies: []string{"user"}, Configured: new(true)},
			{Arn: new(bob), Names: []string{bobsName}, Policies: []string{"lister"}},
		},
		Policies: []*operatorv1.IdentityPolicy{
			{Name: new("admin"), Source: operatorv1.PolicySource_POLICY_SOURCE_BUILT_IN.Enum()},
			{Name: new("auditor"), Source: operatorv1.PolicySource_POLICY_SOURCE_BUILT_IN.Enum()},
			{Name: new("configured"), Document: new(mayList), Source: operatorv1.PolicySource_POLICY_SOURCE_CONFIGURATION.Enum()},
			{Name: new("idle"), Document: new(mayList), Source: operatorv1.PolicySource_POLICY_SOURCE_STORED.Enum()},
			{Name: new("lister"), Document: new(mayList), Source: operatorv1.PolicySource_POLICY_SOURCE_STORED.Enum()},
			{Name: new("user"), Source: operatorv1.PolicySource_POLICY_SOURCE_BUILT_IN.Enum()},
		},
	}
	ignored := []cmp.Option{protocmp.Transform(), protocmp.IgnoreFields(&operatorv1.Principal{}, "created", "updated"), protocmp.IgnoreFields(&operatorv1.IdentityPolicy{}, "created", "updated")}
	if diff := cmp.Diff(want, s.listDirectory(), ignored...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestReplacingKeepsTheTimeOfTheBeginning replaces a principal and a policy.
func TestReplacingKeepsTheTimeOfTheBeginning(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.addDirectory()
	before := s.directory.snapshot()
	s.putIdentityPolicy("lister", mayNothing)
	res, err := s.Operator().PutPrincipal(s.as(admin), &operatorv1.PutPrincipalRequest{Arn: new(bob), Policies: []string{"idle"}})
	s.must(err)
	after, was := s.directory.snapshot(), before.principals[bob].record
	want := &operatorv1.Principal{Arn: new(bob), Policies: []string{"idle"}, Created: was.GetCreated(), Updated: after.principals[bob].record.GetUpdated()}
	if diff := cmp.Diff(want, res.GetPrincipal(), protocmp.Transform()); diff != "" {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
	if !res.GetPrincipal().GetUpdated().AsTime().After(was.GetUpdated().AsTime()) {
		t.Errorf("updated %v, before %v", res.GetPrincipal().GetUpdated(), was.GetUpdated())
	}
	if got, want := after.policies["lister"].record.GetCreated(), before.policies["lister"].record.GetCreated(); !got.AsTime().Equal(want.AsTime()) {
		t.Errorf("the policy was made at %v, want %v", got, want)
	}
}

// directoryCall makes a request of one of the operations of the directory.
func directoryCall(o operatorv1.OperatorServiceServer, s *service, caller string, req any) (err error) {
	switch r := req.(type) {
	case *operatorv1.PutPrincipalRequest:
		_, err = o.PutPrincipal(s.as(caller), r)
	case *operatorv1.DeletePrincipalRequest:
		_, err = o.DeletePrincipal(s.as(caller), r)
	case *operatorv1.ListPrincipalsRequest:
		_, err = o.ListPrincipals(s.as(caller), r)
	case *operatorv1.PutIdentityPolicyRequest:
		_, err = o.PutIdentityPolicy(s.as(caller), r)
	case *operatorv1.DeleteIdentityPolicyRequest:
		_, err = o.DeleteIdentityPolicy(s.as(caller), r)
	case *operatorv1.ListIdentityPoliciesRequest:
		_, err = o.ListIdentityPolicies(s.as(caller), r)
	default:
		err = errors.New("no such operation")
	}
	return err
}

// TestRefusedChangesOfTheDirectory is the table of what cannot be put or deleted.
func TestRefusedChangesOfTheDirectory(t *testing.T) {
	t.Parallel()
	s, r := startDirectory(t)
	s.addDirectory()
	s.putPrincipal("arn:aws:iam::000000000000:role/team/app", []string{"app.corp"})
	put := func(arn string, names []string, policies ...string) *operatorv1.PutPrincipalRequest {
		return &operatorv1.PutPrincipalRequest{Arn: &arn, Names: names, Policies: policies}
	}
	policy := func(name, document string) *operatorv1.PutIdentityPolicyRequest {
		return &operatorv1.PutIdentityPolicyRequest{Name: &name, Document: &document}
	}
	unpolicy := func(name string) *operatorv1.DeleteIdentityPolicyRequest {
		return &operatorv1.DeleteIdentityPolicyRequest{Name: &name}
	}
	for _, test := range []struct {
		name    string
		req     any
		message string // after what they have in common
	}{
		{"no ARN", put("user/bob, who is nobody", nil), `'arn' failed to satisfy constraint: "user/bob, who is nobody" is not the ARN of an IAM user or role of at most 256 bytes`},
		{"root", put(root, nil), `'arn' failed to satisfy constraint: "` + root + `" is not the ARN of an IAM user or role of at most 256 bytes`},
		{"not ASCII", put(bob+"ö", nil), `'arn' failed to satisfy constraint: "` + bob + `ö" is not the ARN of an IAM user or role of at most 256 bytes`},
		{"long ARN", put(bob+strings.Repeat("b", 256), nil), `'arn' failed to satisfy constraint: "` + bob + strings.Repeat("b", 256) + `" is not the ARN of an IAM user or role of at most 256 bytes`},
		{"configured", put(app, nil), `'arn' failed to satisfy constraint: ` + app + ` stands in the configuration, which alone can change it`},
		{"role of the same name", put("arn:aws:iam::000000000000:role/app", nil), `'arn' failed to satisfy constraint: the role arn:aws:iam::000000000000:role/team/app has the same name, and their sessions could not be told apart`},
		{"no certificate name", put(carol, []string{"carol.corp", "Carol"}), `'names[1]' failed to satisfy constraint: "Carol" is neither a URI nor a DNS name in lower case`},
		{"name twice", put(carol, []string{"c.corp", "c.corp"}), `'names[1]' failed to satisfy constraint: "c.corp" stands there twice`},
		{"name of another", put(carol, []string{bobsName}), `'names[0]' failed to satisfy constraint: "` + bobsName + `" is a name of ` + bob},
		{"name of one of the configuration", put(carol, []string{"admin.corp"}), `'names[0]' failed to satisfy constraint: "admin.corp" is a name of ` + admin},
		{"policy that is none", put(carol, nil, "user", "gone"), `'policies[1]' failed to satisfy constraint: there is no policy "gone"`},
		{"policy twice", put(carol, nil, "user", "user"), `'policies[1]' failed to satisfy constraint: "user" stands there twice`},
		{"deleting nobody", &operatorv1.DeletePrincipalRequest{Arn: new(carol)}, `'arn' failed to satisfy constraint: there is no principal ` + carol},
		{"deleting one of the configuration", &operatorv1.DeletePrincipalRequest{Arn: new(app)}, `'arn' failed to satisfy constraint: ` + app + ` stands in the configuration, which alone can change it`},
		{"malformed policy", policy("p", `{"Statement":{"Effect":"Permit"}}`), `'document' failed to satisfy constraint: Statement.Effect: must be "Allow" or "Deny"`},
		{"key policy", policy("p", policyOf(root)), `'document' failed to satisfy constraint: Statement[0]: has a principal, which an identity policy may not`},
		{"policy of the configuration", policy("configured", mayList), `'name' failed to satisfy constraint: the policy "configured" stands in the configuration, which alone can change it`},
		{"built-in policy", policy("user", mayList), `'name' failed to satisfy constraint: the policy "user" is built in`},
		{"deleting a policy that is none", unpolicy("gone"), `'name' failed to satisfy constraint: there is no policy "gone"`},
		{"deleting one of the configuration's policies", unpolicy("configured"), `'name' failed to satisfy constraint: the policy "configured" stands in the configuration, which alone can change it`},
		{"deleting a built-in policy", unpolicy("admin"), `'name' failed to satisfy constraint: the policy "admin" is built in`},
		{"deleting a policy in use", unpolicy("lister"), `'name' failed to satisfy constraint: the principal ` + bob + ` has the policy "lister"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := s.listDirectory()
			err := directoryCall(r.Operator(), s, admin, test.req)
			if want := "1 validation error detected: Value at " + test.message; kindOf(err) != annotationsv1.ErrorKind_ERROR_KIND_VALIDATION || AsError(err).Message != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if diff := cmp.Diff(before, s.listDirectory(), protocmp.Transform()); diff != "" {
				t.Errorf("something was changed:\n%s", diff)
			}
		})
	}
}

// TestOnlyAdminsChangeTheDirectory asks as each of the others.
func TestOnlyAdminsChangeTheDirectory(t *testing.T) {
	t.Parallel()
	s, r := startDirectory(t)
	s.addDirectory()
	for name, req := range map[string]any{
		"PutPrincipal":         &operatorv1.PutPrincipalRequest{Arn: new(carol), Policies: []string{"admin"}},
		"DeletePrincipal":      &operatorv1.DeletePrincipalRequest{Arn: new(bob)},
		"ListPrincipals":       new(operatorv1.ListPrincipalsRequest),
		"PutIdentityPolicy":    &operatorv1.PutIdentityPolicyRequest{Name: new("idle"), Document: new(mayNothing)},
		"DeleteIdentityPolicy": &operatorv1.DeleteIdentityPolicyRequest{Name: new("idle")},
		"ListIdentityPolicies": new(operatorv1.ListIdentityPoliciesRequest),
	} {
		for _, caller := range []string{app, auditor, bob, nobody} {
			err := directoryCall(r.Operator(), s, caller, req)
			want := "User: " + caller + " is not authorized to perform: strongroom:" + name + " on resource: * because no identity-based policy allows the strongroom:" + name + " action"
			if kindOf(err) != denied || AsError(err).Message != want {
				t.Errorf("%s by %s: %v", name, caller, err)
			}
		}
	}
	if got := s.listDirectory(); len(got.Principals) != 4 {
		t.Errorf("the principals are %v", got.Principals)
	}
}

// TestNobodyTakesItsOwnRightToCorrectAMistake has an administrator who is stored
// change itself.
func TestNobodyTakesItsOwnRightToCorrectAMistake(t *testing.T) {
	t.Parallel()
	const mayAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"strongroom:*","Resource":"*"}}`
	const mayPutPolicies = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"strongroom:PutIdentityPolicy","Resource":"*"}}`
	s, r := startDirectory(t)
	s.putIdentityPolicy("operator", mayAll)
	s.putIdentityPolicy("author", mayPutPolicies)
	s.putPrincipal(bob, []string{bobsName}, "operator")
	s.putPrincipal(carol, nil, "author")
	lockout := "The change would take the right to strongroom:PutPrincipal from you; let another principal make it."
	for _, test := range []struct {
		name, caller string
		req          any
		message      string
	}{
		{"deletes itself", bob, &operatorv1.DeletePrincipalRequest{Arn: new(bob)}, lockout},
		{"gives its policy away", bob, &operatorv1.PutPrincipalRequest{Arn: new(bob), Names: []string{bobsName}, Policies: []string{"user"}}, lockout},
		{"denies itself", bob, &operatorv1.PutIdentityPolicyRequest{Name: new("operator"), Document: new(mayNothing)}, lockout},
		{"gives its name away", bob, &operatorv1.PutPrincipalRequest{Arn: new(bob), Names: []string{"bob.corp"}, Policies: []string{"operator"}},
			`1 validation error detected: Value at 'names' failed to satisfy constraint: "` + bobsName + `" may be the name of your own certificate; let another principal remove it`},
		{"has one more name", bob, &operatorv1.PutPrincipalRequest{Arn: new(bob), Names: []string{"bob.corp", bobsName}, Policies: []string{"admin"}}, ""},
		{"who may not put principals takes from itself what it has", carol, &operatorv1.PutIdentityPolicyRequest{Name: new("author"), Document: new(mayNothing)}, ""},
		{"is deleted by another", admin, &operatorv1.DeletePrincipalRequest{Arn: new(bob)}, ""},
	} {
		message := ""
		if err := directoryCall(r.Operator(), s, test.caller, test.req); err != nil {
			message = AsError(err).Message
		}
		if message != test.message {
			t.Errorf("%s: got %q, want %q", test.name, message, test.message)
		}
	}
}

// TestANameIsOnePrincipalsHoweverManyWantIt has several claim it at once.
func TestANameIsOnePrincipalsHoweverManyWantIt(t *testing.T) {
	t.Parallel()
	s, r := startDirectory(t)
	var work sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		work.Go(func() {
			arn := bob + string(rune('a'+i))
			_, results[i] = r.Operator().PutPrincipal(s.as(admin), &operatorv1.PutPrincipalRequest{Arn: &arn, Names: []string{bobsName}})
		})
	}
	work.Wait()
	winners := 0
	for i, err := range results {
		switch {
		case err == nil:
			winners++
			if got, want := r.PrincipalOf([]string{bobsName}, nil), bob+string(rune('a'+i)); got != want {
				t.Errorf("the certificate is that of %q, want %q", got, want)
			}
		case !strings.Contains(err.Error(), `"`+bobsName+`" is a name of `):
			t.Error(err)
		}
	}
	if winners != 1 {
		t.Errorf("%d have got it", winners)
	}
}
