package keystore

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// PutIdentityPolicy makes an identity policy, or replaces it, for every principal
// that has it. It is in force when it is answered.
func (o *operator) PutIdentityPolicy(ctx context.Context, req *operatorv1.PutIdentityPolicyRequest) (*operatorv1.PutIdentityPolicyResponse, error) {
	return changeDirectory(ctx, o.k, operatorv1.OperatorService_PutIdentityPolicy_FullMethodName, req,
		func(stored directoryContents) (*directoryChange, error) {
			document, err := policy.ParseIdentityPolicy(req.GetName(), req.GetDocument())
			if err != nil {
				return nil, badMember("document", "%v", err)
			}
			caller, _ := CallerFrom(ctx)
			return o.k.putPolicy(req, document, stored, caller.RequestID)
		}, new(operatorv1.PutIdentityPolicyResponse))
}

// DeleteIdentityPolicy removes an identity policy that no principal has.
func (o *operator) DeleteIdentityPolicy(ctx context.Context, req *operatorv1.DeleteIdentityPolicyRequest) (*operatorv1.DeleteIdentityPolicyResponse, error) {
	name := req.GetName()
	return changeDirectory(ctx, o.k, operatorv1.OperatorService_DeleteIdentityPolicy_FullMethodName, req,
		func(stored directoryContents) (*directoryChange, error) {
			if err := o.k.directory.configured.policyDeletable(name, stored); err != nil {
				return nil, err
			}
			return &directoryChange{
				arn: o.k.scope.policyARN(name), path: o.k.scope.policyPath(name), revision: stored.policies[name].revision,
				apply: func(c *directoryContents) { delete(c.policies, name) },
			}, nil
		}, new(operatorv1.DeleteIdentityPolicyResponse))
}

// ListIdentityPolicies lists the identity policies that are in force.
func (o *operator) ListIdentityPolicies(ctx context.Context, req *operatorv1.ListIdentityPoliciesRequest) (*operatorv1.ListIdentityPoliciesResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_ListIdentityPolicies_FullMethodName, req, plan[*operatorv1.ListIdentityPoliciesResponse]{
		run: func(context.Context, *proof) (*operatorv1.ListIdentityPoliciesResponse, error) {
			return &operatorv1.ListIdentityPoliciesResponse{Policies: o.k.directory.configured.policies(o.k.directory.snapshot())}, nil
		},
	})
}

// putPolicy is the change that a request makes.
func (k *Keystore) putPolicy(req *operatorv1.PutIdentityPolicyRequest, document *policy.Document, stored directoryContents, request string) (*directoryChange, error) {
	if err := k.directory.configured.policyFree(req.GetName()); err != nil {
		return nil, err
	}
	old, now := cmp.Or(stored.policies[req.GetName()], new(storedPolicy)), timestamppb.Now()
	made := &storedPolicy{document: document, record: &storagev1.PolicyRecord{
		Name: req.Name, Document: req.Document, Created: cmp.Or(old.record.GetCreated(), now), Updated: now, ChangedBy: &request,
	}}
	put := func(c *directoryContents) { c.policies[req.GetName()] = made }
	put(&stored)
	size := 0
	for _, p := range stored.policies {
		size += proto.Size(p.record)
	}
	if err := checkRoom("policies", len(stored.policies), size); err != nil {
		return nil, err
	}
	return &directoryChange{
		arn: k.scope.policyARN(req.GetName()), path: k.scope.policyPath(req.GetName()), record: made.record, revision: old.revision, apply: put,
	}, nil
}

// policyFree refuses a name that is not for stored policies.
func (c configured) policyFree(name string) error {
	switch {
	case c.documents[name] != nil:
		return badMember("name", "the policy %q stands in the configuration, which alone can change it", name)
	case c.hasPolicy(name):
		return badMember("name", "the policy %q is built in", name)
	}
	return nil
}

// policyDeletable says whether a policy is there and can be removed.
func (c configured) policyDeletable(name string, stored directoryContents) error {
	if err := c.policyFree(name); err != nil {
		return err
	}
	if stored.policies[name] == nil {
		return badMember("name", "there is no policy %q", name)
	}
	for _, p := range sortedValues(stored.principals) {
		if slices.Contains(p.record.GetPolicies(), name) {
			return badMember("name", "the principal %s has the policy %q", p.record.GetArn(), name)
		}
	}
	return nil
}

// policies describes all that are in force, in the order of their names.
func (c configured) policies(stored directoryContents) []*operatorv1.IdentityPolicy {
	all := map[string]*operatorv1.IdentityPolicy{}
	for name, p := range stored.policies {
		all[name] = &operatorv1.IdentityPolicy{
			Name: &name, Document: p.record.Document, Source: operatorv1.PolicySource_POLICY_SOURCE_STORED.Enum(),
			Created: p.record.Created, Updated: p.record.Updated,
		}
	}
	for name, text := range c.texts {
		all[name] = &operatorv1.IdentityPolicy{Name: &name, Document: &text, Source: operatorv1.PolicySource_POLICY_SOURCE_CONFIGURATION.Enum()}
	}
	for _, name := range policy.Builtins() {
		all[name] = &operatorv1.IdentityPolicy{Name: &name, Source: operatorv1.PolicySource_POLICY_SOURCE_BUILT_IN.Enum()}
	}
	return sortedValues(all)
}
