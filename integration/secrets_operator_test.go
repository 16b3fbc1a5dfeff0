package integration

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/strongroom-kms/strongroom/integration/harness"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// ofOperators are the particulars of requests of those who run the server.
func (p *planter) ofOperators(t *testing.T, r *dynamicpb.Message) proto.Message {
	t.Helper()
	principal := &operatorv1.PutPrincipalRequest{Arn: new(harness.ARN("dave")), Names: []string{"spiffe://it.example/dave"}, Policies: []string{"user"}}
	policy := &operatorv1.PutIdentityPolicyRequest{Name: new("idle"), Document: new(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)}
	switch r.Descriptor().Name() {
	case "SimulatePolicyRequest":
		return &operatorv1.SimulatePolicyRequest{Principal: principal.Arn, Action: new("kms:Decrypt"), KeyId: &p.key}
	case "PutPrincipalRequest":
		return principal
	case "DeletePrincipalRequest":
		_, err := p.client.Operator.PutPrincipal(within(t, 10*time.Second), principal)
		return made(t, &operatorv1.DeletePrincipalRequest{Arn: principal.Arn}, err)
	case "CreateAccessKeyRequest":
		return &operatorv1.CreateAccessKeyRequest{Principal: new(harness.ARN(harness.Admin))}
	case "DeleteAccessKeyRequest":
		res, err := p.client.Operator.CreateAccessKey(within(t, 10*time.Second), &operatorv1.CreateAccessKeyRequest{Principal: new(harness.ARN(harness.User))})
		return made(t, &operatorv1.DeleteAccessKeyRequest{AccessKeyId: res.GetAccessKey().AccessKeyId}, err)
	case "PutIdentityPolicyRequest":
		return policy
	case "DeleteIdentityPolicyRequest":
		_, err := p.client.Operator.PutIdentityPolicy(within(t, 10*time.Second), policy)
		return made(t, &operatorv1.DeleteIdentityPolicyRequest{Name: policy.Name}, err)
	}
	return nil
}

// made returns a request when what it is about has been made.
func made(t *testing.T, r proto.Message, err error) proto.Message {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return r
}
