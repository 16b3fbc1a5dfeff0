package keystore

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// defaultPolicyName is the name of a key's only policy.
const defaultPolicyName = "default"

// GetKeyPolicy answers a key's policy.
func (k *Keystore) GetKeyPolicy(ctx context.Context, req *kmsv1.GetKeyPolicyRequest) (*kmsv1.GetKeyPolicyResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_GetKeyPolicy_FullMethodName, req, plan[*kmsv1.GetKeyPolicyResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		check:   onKey(func(*key) error { return checkPolicyName(req.PolicyName) }),
		run: func(_ context.Context, p *proof) (*kmsv1.GetKeyPolicyResponse, error) {
			return &kmsv1.GetKeyPolicyResponse{Policy: new(p.key.policyText(k.scope)), PolicyName: new(defaultPolicyName)}, nil
		},
	})
}

// PutKeyPolicy replaces a key's policy. Every request that comes later is judged
// by the new one.
func (k *Keystore) PutKeyPolicy(ctx context.Context, req *kmsv1.PutKeyPolicyRequest) (*kmsv1.PutKeyPolicyResponse, error) {
	return changeKey(ctx, k, kmsv1.KeyManagementService_PutKeyPolicy_FullMethodName, req, keyChange[*kmsv1.PutKeyPolicyResponse]{
		check: func(of *key) error {
			if err := checkPolicyName(req.PolicyName); err != nil {
				return err
			}
			return k.checkKeyPolicy(ctx, of.arn, req.GetPolicy(), req)
		},
		apply:  func(r *storagev1.KeyRecord) { r.Policy = req.Policy },
		answer: func(*key) *kmsv1.PutKeyPolicyResponse { return new(kmsv1.PutKeyPolicyResponse) },
	})
}

// ListKeyPolicies lists the names of a key's policies, of which there is one.
func (k *Keystore) ListKeyPolicies(ctx context.Context, req *kmsv1.ListKeyPoliciesRequest) (*kmsv1.ListKeyPoliciesResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_ListKeyPolicies_FullMethodName, req, plan[*kmsv1.ListKeyPoliciesResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		run: func(context.Context, *proof) (*kmsv1.ListKeyPoliciesResponse, error) {
			if req.Marker != nil {
				// InvalidMarker is not declared; no page but the first was ever answered.
				return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "Marker '%s' is not one that ListKeyPolicies answered.", req.GetMarker())
			}
			return &kmsv1.ListKeyPoliciesResponse{PolicyNames: []string{defaultPolicyName}, Truncated: new(false)}, nil
		},
	})
}

func checkPolicyName(name *string) error {
	if name == nil || *name == defaultPolicyName {
		return nil
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "No such policy exists")
}

// checkKeyPolicy refuses a policy that cannot be understood, or that the caller
// of the request could not replace afterwards.
func (k *Keystore) checkKeyPolicy(ctx context.Context, arn, text string, req interface{ GetBypassPolicyLockoutSafetyCheck() bool }) error {
	if utf8.RuneCountInString(text) > policy.MaxKeyPolicy {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED, "The key policy is longer than %d characters.", policy.MaxKeyPolicy)
	}
	document, err := policy.ParseKeyPolicy(text)
	if err != nil {
		return malformedPolicy(err)
	}
	if req.GetBypassPolicyLockoutSafetyCheck() {
		return nil
	}
	caller, _ := CallerFrom(ctx)
	about := &circumstances{request: &request{k: k, caller: caller}}
	question := policy.Request{Principal: caller.Principal, Action: "kms:PutKeyPolicy", Resource: arn, Context: about}
	if !policy.AllowsPrincipal(document, k.scope.account, question) {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_MALFORMED_POLICY_DOCUMENT, "%s", policy.LockoutMessage)
	}
	return nil
}

// malformedPolicy is the answer to a policy that cannot be understood.
func malformedPolicy(err error) error {
	message := err.Error()
	if m := (*policy.MalformedError)(nil); errors.As(err, &m) {
		message = m.Message()
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_MALFORMED_POLICY_DOCUMENT, "%s", message).because(err)
}
