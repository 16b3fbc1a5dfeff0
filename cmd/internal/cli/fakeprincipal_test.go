package cli_test

import (
	"context"
	"encoding/json"
	"strings"

	"google.golang.org/grpc/codes"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// PutPrincipal accepts principals with policies that there are.
func (fakeOperator) PutPrincipal(_ context.Context, r *operatorv1.PutPrincipalRequest) (*operatorv1.PutPrincipalResponse, error) {
	for _, policy := range r.GetPolicies() {
		if policy != "user" && policy != "payments" {
			return nil, refuse(codes.InvalidArgument, "ValidationException", "there is no policy %q", policy)
		}
	}
	return &operatorv1.PutPrincipalResponse{Principal: &operatorv1.Principal{Arn: r.Arn, Names: r.GetNames(), Policies: r.GetPolicies(), Created: fakeTime(), Updated: fakeTime()}}, nil
}

func (fakeOperator) ListPrincipals(context.Context, *operatorv1.ListPrincipalsRequest) (*operatorv1.ListPrincipalsResponse, error) {
	return &operatorv1.ListPrincipalsResponse{Principals: []*operatorv1.Principal{
		{Arn: new("arn:admin"), Names: []string{"admin.corp", "urn:admin"}, Policies: []string{"admin"}, Configured: new(true)},
		{Arn: new("arn:alice"), Created: fakeTime(), Updated: fakeTime()},
	}}, nil
}

func (fakeOperator) DeletePrincipal(_ context.Context, r *operatorv1.DeletePrincipalRequest) (*operatorv1.DeletePrincipalResponse, error) {
	if r.GetArn() != "arn:alice" {
		return nil, refuse(codes.InvalidArgument, "ValidationException", "there is no principal %s", r.GetArn())
	}
	return new(operatorv1.DeletePrincipalResponse), nil
}

func (fakeOperator) PutIdentityPolicy(_ context.Context, r *operatorv1.PutIdentityPolicyRequest) (*operatorv1.PutIdentityPolicyResponse, error) {
	if !json.Valid([]byte(r.GetDocument())) || strings.Contains(r.GetName(), "/") {
		return nil, refuse(codes.InvalidArgument, "ValidationException", "%s: %s", r.GetName(), r.GetDocument())
	}
	return new(operatorv1.PutIdentityPolicyResponse), nil
}

func (fakeOperator) ListIdentityPolicies(context.Context, *operatorv1.ListIdentityPoliciesRequest) (*operatorv1.ListIdentityPoliciesResponse, error) {
	return &operatorv1.ListIdentityPoliciesResponse{Policies: []*operatorv1.IdentityPolicy{
		{Name: new("admin"), Source: operatorv1.PolicySource_POLICY_SOURCE_BUILT_IN.Enum()},
		{Name: new("payments"), Source: operatorv1.PolicySource_POLICY_SOURCE_STORED.Enum(), Document: new("{\"Id\":\"p\"}\n"), Created: fakeTime(), Updated: fakeTime()},
	}}, nil
}

func (fakeOperator) DeleteIdentityPolicy(_ context.Context, r *operatorv1.DeleteIdentityPolicyRequest) (*operatorv1.DeleteIdentityPolicyResponse, error) {
	if r.GetName() != "payments" {
		return nil, refuse(codes.InvalidArgument, "ValidationException", "there is no policy %q", r.GetName())
	}
	return new(operatorv1.DeleteIdentityPolicyResponse), nil
}
