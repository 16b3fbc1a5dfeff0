package keystore

import (
	"context"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// What is stored of principals and policies before a crash.
const (
	bob        = "arn:aws:iam::000000000000:user/bob"
	carol      = "arn:aws:iam::000000000000:user/carol"
	bobsName   = "spiffe://corp/bob"
	mayList    = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:ListKeys","Resource":"*"}}`
	mayNothing = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`
)

// addDirectory stores a principal with a policy, and a policy that nobody has.
func (s *service) addDirectory() {
	s.t.Helper()
	s.putIdentityPolicy("lister", mayList)
	s.putIdentityPolicy("idle", mayList)
	s.putPrincipal(bob, []string{bobsName}, "lister")
}

func (s *service) putIdentityPolicy(name, document string) {
	s.t.Helper()
	_, err := s.Operator().PutIdentityPolicy(s.as(admin), &operatorv1.PutIdentityPolicyRequest{Name: &name, Document: &document})
	s.must(err)
}

func (s *service) putPrincipal(arn string, names []string, policies ...string) {
	s.t.Helper()
	_, err := s.Operator().PutPrincipal(s.as(admin), &operatorv1.PutPrincipalRequest{Arn: &arn, Names: names, Policies: policies})
	s.must(err)
}

// directoryOperations change who there is, and what they may do.
func directoryOperations() []operation {
	return []operation{
		{name: "PutPrincipal", undone: noEffect,
			do:    asksOperator(operatorv1.OperatorServiceServer.PutPrincipal, &operatorv1.PutPrincipalRequest{Arn: new(carol), Policies: []string{"idle"}}),
			apply: func(w world) { w.Principals[carol] = []string{"idle"} }},
		{name: "DeletePrincipal", undone: noEffect,
			do:    asksOperator(operatorv1.OperatorServiceServer.DeletePrincipal, &operatorv1.DeletePrincipalRequest{Arn: new(bob)}),
			apply: func(w world) { delete(w.Principals, bob) }},
		{name: "PutIdentityPolicy", undone: noEffect,
			do:    asksOperator(operatorv1.OperatorServiceServer.PutIdentityPolicy, &operatorv1.PutIdentityPolicyRequest{Name: new("lister"), Document: new(mayNothing)}),
			apply: func(w world) { w.Policies["lister"] = mayNothing }},
		{name: "DeleteIdentityPolicy", undone: noEffect,
			do:    asksOperator(operatorv1.OperatorServiceServer.DeleteIdentityPolicy, &operatorv1.DeleteIdentityPolicyRequest{Name: new("idle")}),
			apply: func(w world) { delete(w.Policies, "idle") }},
	}
}

// asksOperator makes an operation of a method of the operator service and its
// request.
func asksOperator[Req, Res any](method func(operatorv1.OperatorServiceServer, context.Context, Req) (Res, error), request Req) func(*service, context.Context) error {
	return func(s *service, ctx context.Context) error {
		_, err := method(s.Operator(), ctx, request)
		return err
	}
}

// addDirectoryTo adds to a world who there is.
func (s *service) addDirectoryTo(w world) {
	stored := s.directory.snapshot()
	for arn, p := range stored.principals {
		w.Principals[arn] = p.record.GetPolicies()
	}
	for name, p := range stored.policies {
		w.Policies[name] = p.record.GetDocument()
	}
	for _, a := range stored.accessKeys {
		w.AccessKeys[a.record.GetPrincipal()]++
	}
}
