package keystore

import (
	"github.com/strongroom-kms/strongroom/keystore/policy"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// authorize asks the policies for every action that the operation needs: an
// operation of several actions needs each for the target at its place, one of a
// single action needs it for all targets.
func (r *request) authorize() error {
	if r.foreign() && !r.method.CrossAccount {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED,
			"User: %s is not authorized to perform: %s because it cannot be done from another account", r.caller.Principal, r.method.Actions[0])
	}
	if len(r.targets) == 0 || r.targets[0].isStore {
		return r.authorizeAccount()
	}
	for i, t := range r.targets {
		action := r.method.Actions[0]
		if len(r.method.Actions) > 1 {
			action = r.method.Actions[i]
		}
		if err := r.authorizeOne(action, t, i); err != nil {
			return err
		}
	}
	return nil
}

// foreign says whether the caller is of another account.
func (r *request) foreign() bool { return r.identity().AccountID != r.k.scope.account }

// authorizeAccount asks for an action on no single resource. To give a new key
// tags is to tag: policies may rely on them.
func (r *request) authorizeAccount() error {
	account := target{resource: "*"}
	if err := r.authorizeOne(r.method.Actions[0], account, 0); err != nil {
		return err
	}
	if req, ok := r.input.(*kmsv1.CreateKeyRequest); ok && len(req.GetTags()) > 0 {
		return r.authorizeOne("kms:TagResource", account, 0)
	}
	return nil
}

// authorizeOne asks for one action on one target, which is at a place among the
// targets.
func (r *request) authorizeOne(action string, t target, place int) error {
	d := r.decide(action, t, place)
	if r.judge != nil {
		return r.judge(r, d)
	}
	return r.refusal(d, action, t)
}

// refusal is the answer to a request that the policies do not allow; nil if they
// do.
func (r *request) refusal(d policy.Decision, action string, t target) error {
	if d.Allowed() {
		return nil
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED,
		"User: %s is not authorized to perform: %s on resource: %s %s", r.caller.Principal, action, t.resource, d.Reason())
}

// decide puts the question to the policies and grants. A key that is not there
// has none of either: whether the caller learns that is up to its own policies.
func (r *request) decide(action string, t target, place int) policy.Decision {
	about := &circumstances{request: r, target: t, place: place}
	question := policy.Request{
		Principal: r.caller.Principal, Action: action, Resource: t.resource,
		Context: about, EncryptionContext: about.encryptionContext(), GrantTokens: grantTokens(r.input),
	}
	sources := policy.Sources{KeyAccount: r.k.scope.account, Identity: r.k.identities.Load().Of(r.caller.Principal)}
	if t.key != nil {
		sources.KeyPolicy, sources.Grants = t.key.policy, about
	}
	return policy.Decide(question, sources)
}

func grantTokens(req any) []string {
	if r, ok := req.(interface{ GetGrantTokens() []string }); ok {
		return r.GetGrantTokens()
	}
	return nil
}
