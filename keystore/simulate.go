package keystore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// The actions of which policies and grants do not say all.
const (
	createGrant = "kms:CreateGrant"
	retireGrant = "kms:RetireGrant"
)

// SimulatePolicy answers what the policies and grants of the Region that the call
// names would decide of a request, and why. Nothing is done with the key.
func (o *operator) SimulatePolicy(ctx context.Context, req *operatorv1.SimulatePolicyRequest) (*operatorv1.SimulatePolicyResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_SimulatePolicy_FullMethodName, req, plan[*operatorv1.SimulatePolicyResponse]{
		run: func(ctx context.Context, _ *proof) (*operatorv1.SimulatePolicyResponse, error) {
			caller, _ := CallerFrom(ctx)
			k, err := o.k.named(caller.Region)
			if err != nil {
				return nil, err
			}
			s, err := k.imagine(req, caller)
			if err != nil {
				return nil, err
			}
			return s.answer(), nil
		},
	})
}

// named returns the Keystore of the Region that a call names, the default one if
// it names none, if that knows the present.
func (k *Keystore) named(region string) (*Keystore, error) {
	of, ok := k.regions.Region(cmp.Or(region, k.regions.Default().scope.region))
	if !ok {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
			"The request names a Region that this server does not have. It has: %s.", strings.Join(k.regions.Names(), ", "))
	}
	return of, of.fresh()
}

// simulation is a request that is only imagined. What its principal and its key
// say of it are its circumstances.
type simulation struct {
	circumstances
	action string
	// given are the values of condition keys, in lower case, that the simulation
	// was told. They count before the circumstances.
	given   map[string][]string
	sources policy.Sources
}

// imagine makes the request that is to be simulated. It comes at the time of the
// caller's, from nowhere that is known.
func (k *Keystore) imagine(req *operatorv1.SimulatePolicyRequest, caller Caller) (*simulation, error) {
	if err := policy.CheckPrincipal(req.GetPrincipal()); err != nil {
		return nil, unimaginablef("Principal", "%v.", err)
	}
	what, err := k.actionNamed(req.GetAction())
	if err != nil {
		return nil, err
	}
	input, err := what.request(req)
	if err != nil {
		return nil, err
	}
	on, err := k.imaginedTarget(what, req.KeyId)
	if err != nil {
		return nil, err
	}
	given, err := conditionValues(req.GetContext())
	if err != nil {
		return nil, err
	}
	imagined := &request{k: k, method: what.method, caller: Caller{Principal: req.GetPrincipal(), Time: caller.Time}, input: input}
	s := &simulation{circumstances: circumstances{request: imagined, target: on, place: what.place}, action: what.name, given: given}
	return s, s.findSources(req)
}

// imaginedTarget finds what the action is done with.
func (k *Keystore) imaginedTarget(what simulatedAction, ref *string) (target, error) {
	withKey := what.onKey()
	switch {
	case ref == nil && withKey:
		return target{}, unimaginablef("KeyId", "%s is done with a key, and none is named.", what.name)
	case ref == nil:
		return target{resource: "*"}, nil
	case !withKey:
		return target{}, unimaginablef("KeyId", "%s is not done with a key.", what.name)
	}
	t := k.byReference(*ref)()
	if t.err != nil {
		return target{}, unimaginablef("KeyId", "%s", AsError(t.err).Message)
	}
	return t, nil
}

// findSources finds the policies and grants that have a say, or takes drafts for
// them.
func (s *simulation) findSources(req *operatorv1.SimulatePolicyRequest) (err error) {
	s.sources = policy.Sources{KeyAccount: s.k.scope.account, Identity: s.k.identities.Load().Of(s.caller.Principal)}
	if len(req.GetIdentityPolicies()) > 0 {
		if s.sources.Identity, err = draftedIdentity(req.GetIdentityPolicies()); err != nil {
			return err
		}
	}
	if s.target.key == nil {
		if req.KeyPolicy != nil {
			return unimaginablef("KeyPolicy", "it is the draft of a key's policy, and KeyId names no key.")
		}
		return nil
	}
	s.sources.KeyPolicy = s.target.key.policy
	if s.action != retireGrant { // no grant gives the right to retire whatever grant
		s.sources.Grants = &s.circumstances
	}
	if req.KeyPolicy != nil {
		s.sources.KeyPolicy, err = draftedKeyPolicy(req.GetKeyPolicy())
	}
	return err
}

func draftedKeyPolicy(text string) (*policy.Document, error) {
	if n := utf8.RuneCountInString(text); n > policy.MaxKeyPolicy {
		return nil, unimaginablef("KeyPolicy", "it has %d characters, and a key policy at most %d.", n, policy.MaxKeyPolicy)
	}
	document, err := policy.ParseKeyPolicy(text)
	if err != nil {
		return nil, unimaginablef("KeyPolicy", "%v.", err)
	}
	return document, nil
}

func draftedIdentity(texts []string) ([]*policy.Document, error) {
	drafts := make([]*policy.Document, len(texts))
	for i, text := range texts {
		var err error
		if drafts[i], err = policy.ParseIdentityPolicy(fmt.Sprintf("draft %d", i+1), text); err != nil {
			return nil, unimaginablef(fmt.Sprintf("IdentityPolicies[%d]", i), "%v.", err)
		}
	}
	return drafts, nil
}

// Values implements policy.Context.
func (s *simulation) Values(key string) ([]string, bool) {
	if values, ok := s.given[key]; ok {
		return values, true
	}
	switch key {
	case "aws:securetransport", "kms:reencryptonsamekey": // of the connection, and of the other key
		return nil, false
	}
	return s.circumstances.Values(key)
}

// answer puts the question as request.decide does.
func (s *simulation) answer() *operatorv1.SimulatePolicyResponse {
	if s.foreign() && !s.method.CrossAccount {
		reason := "because it cannot be done from another account"
		return &operatorv1.SimulatePolicyResponse{Allowed: new(false), Reason: &reason, Explanation: []string{"denied, " + reason}}
	}
	d := policy.Decide(policy.Request{
		Principal: s.caller.Principal, Action: s.action, Resource: s.target.resource,
		Context: s, EncryptionContext: s.encryptionContext(), GrantTokens: grantTokens(s.input),
	}, s.sources)
	lines := d.Explain()
	if more := s.proviso(d); more != "" {
		lines = slices.Insert(lines, len(lines)-1, more) // the last is what came of it
	}
	return &operatorv1.SimulatePolicyResponse{
		Allowed: new(d.Allowed()), Reason: stated(d.Reason()), DecidedBy: stated(d.By()), Explanation: lines,
	}
}

// proviso says what the operation asks besides, of what the simulation does not know.
func (s *simulation) proviso(d policy.Decision) string {
	switch {
	case s.action == createGrant && d.GrantID() != "":
		return "a grant that is made by way of a grant may give no more than that one"
	case s.action == retireGrant:
		return "the retiring principal of a grant may retire it, and so may its grantee if RetireGrant is one of its operations, unless a policy denies it"
	case s.method.Resource == annotationsv1.ResourceKind_RESOURCE_KIND_ALIAS:
		return "the principal needs the same action on the alias, of an identity policy"
	default:
		return ""
	}
}
