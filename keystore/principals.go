package keystore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// callerARN is the ARN of who can have a certificate.
var callerARN = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:(user|role)/`)

// PutPrincipal makes a principal, or replaces it. It is known when it is answered.
func (o *operator) PutPrincipal(ctx context.Context, req *operatorv1.PutPrincipalRequest) (*operatorv1.PutPrincipalResponse, error) {
	answer := new(operatorv1.PutPrincipalResponse)
	return changeDirectory(ctx, o.k, operatorv1.OperatorService_PutPrincipal_FullMethodName, req,
		func(stored directoryContents) (*directoryChange, error) {
			if err := checkPrincipal(req); err != nil {
				return nil, err
			}
			caller, _ := CallerFrom(ctx)
			c, record, err := o.k.putPrincipal(req, stored, caller)
			if err == nil {
				answer.Principal = describePrincipal(record)
			}
			return c, err
		}, answer)
}

// DeletePrincipal removes a principal that has no access keys. Its requests are
// refused from then on, on open connections too.
func (o *operator) DeletePrincipal(ctx context.Context, req *operatorv1.DeletePrincipalRequest) (*operatorv1.DeletePrincipalResponse, error) {
	arn := req.GetArn()
	return changeDirectory(ctx, o.k, operatorv1.OperatorService_DeletePrincipal_FullMethodName, req,
		func(stored directoryContents) (*directoryChange, error) {
			p := stored.principals[arn]
			if _, configured := o.k.directory.configured.attached[arn]; configured {
				return nil, badMember("arn", "%s stands in the configuration, which alone can change it", arn)
			}
			if p == nil {
				return nil, badMember("arn", "there is no principal %s", arn)
			}
			if keys := stored.accessKeysOf(arn); len(keys) > 0 {
				return nil, badMember("arn", "%s has the access key %s; delete its access keys first", arn, keys[0].record.GetAccessKeyId())
			}
			return &directoryChange{
				arn: arn, path: o.k.scope.principalPath(arn), revision: p.revision,
				apply: func(c *directoryContents) { delete(c.principals, arn) },
			}, nil
		}, new(operatorv1.DeletePrincipalResponse))
}

// ListPrincipals lists the principals that are in force.
func (o *operator) ListPrincipals(ctx context.Context, req *operatorv1.ListPrincipalsRequest) (*operatorv1.ListPrincipalsResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_ListPrincipals_FullMethodName, req, plan[*operatorv1.ListPrincipalsResponse]{
		run: func(context.Context, *proof) (*operatorv1.ListPrincipalsResponse, error) {
			stored := o.k.directory.snapshot()
			r, err := o.k.directory.configured.with(&stored)
			if err != nil {
				return nil, err
			}
			stored.principals = r.principals
			return &operatorv1.ListPrincipalsResponse{Principals: o.k.directory.configured.principals(stored)}, nil
		},
	})
}

// checkPrincipal says what a request alone shows to be wrong.
func checkPrincipal(req *operatorv1.PutPrincipalRequest) error {
	if !callerARN.MatchString(req.GetArn()) || policy.CheckPrincipal(req.GetArn()) != nil {
		return badMember("arn", "%q is not the ARN of an IAM user or role of at most 256 bytes", req.GetArn())
	}
	for i, name := range req.GetNames() {
		if err := CheckCertificateName(name); err != nil {
			return badMember(fmt.Sprintf("names[%d]", i), "%v", err)
		}
	}
	return cmp.Or(checkRepeated("names", req.GetNames()), checkRepeated("policies", req.GetPolicies()))
}

func checkRepeated(member string, all []string) error {
	for i, s := range all {
		if slices.Contains(all[:i], s) {
			return badMember(fmt.Sprintf("%s[%d]", member, i), "%q stands there twice", s)
		}
	}
	return nil
}

// puttable says whether a principal can be put beside those that there are.
func (d *directory) puttable(req *operatorv1.PutPrincipalRequest, stored directoryContents) error {
	for _, other := range d.configured.principals(stored) {
		if err := beside(req, other); err != nil {
			return err
		}
	}
	for i, name := range req.GetPolicies() {
		if !d.configured.hasPolicy(name) && stored.policies[name] == nil {
			return badMember(fmt.Sprintf("policies[%d]", i), "there is no policy %q", name)
		}
	}
	return nil
}

// beside says whether a principal can be put beside another one, or in its place.
func beside(req *operatorv1.PutPrincipalRequest, other *operatorv1.Principal) error {
	arn := req.GetArn()
	switch {
	case other.GetArn() == arn && other.GetConfigured():
		return badMember("arn", "%s stands in the configuration, which alone can change it", arn)
	case other.GetArn() == arn:
		return nil
	case sessionsOf(other.GetArn()) == sessionsOf(arn):
		return badMember("arn", "the role %s has the same name, and their sessions could not be told apart", other.GetArn())
	}
	for i, name := range req.GetNames() {
		if slices.Contains(other.GetNames(), name) {
			return badMember(fmt.Sprintf("names[%d]", i), "%q is a name of %s", name, other.GetArn())
		}
	}
	return nil
}

// keepsNames refuses that a caller takes a name from itself, which may be that of
// its certificate.
func keepsNames(req *operatorv1.PutPrincipalRequest, old *storedPrincipal, caller Caller) error {
	if caller.Principal != req.GetArn() {
		return nil
	}
	for _, name := range old.record.GetNames() {
		if !slices.Contains(req.GetNames(), name) {
			return badMember("names", "%q may be the name of your own certificate; let another principal remove it", name)
		}
	}
	return nil
}

// putPrincipal is the change that a request makes.
func (k *Keystore) putPrincipal(req *operatorv1.PutPrincipalRequest, stored directoryContents, caller Caller) (*directoryChange, *storagev1.PrincipalRecord, error) {
	old := cmp.Or(stored.principals[req.GetArn()], new(storedPrincipal))
	if err := cmp.Or(k.directory.puttable(req, stored), keepsNames(req, old, caller)); err != nil {
		return nil, nil, err
	}
	now := timestamppb.Now()
	made := &storedPrincipal{revision: old.revision, record: &storagev1.PrincipalRecord{
		Arn: req.Arn, Names: req.GetNames(), Policies: req.GetPolicies(),
		Created: cmp.Or(old.record.GetCreated(), now), Updated: now, ChangedBy: &caller.RequestID,
	}}
	put := func(c *directoryContents) { c.principals[req.GetArn()] = made }
	put(&stored)
	size := 0
	for _, p := range stored.principals {
		size += proto.Size(p.record)
	}
	if err := checkRoom("principals", len(stored.principals), size); err != nil {
		return nil, nil, err
	}
	return &directoryChange{arn: req.GetArn(), path: k.scope.principalPath(req.GetArn()), record: made.record, revision: old.revision, apply: put}, made.record, nil
}

// principals describes those of the configuration and the stored ones beside them,
// in the order of their ARNs.
func (c configured) principals(stored directoryContents) []*operatorv1.Principal {
	all := make(map[string]*operatorv1.Principal, len(stored.principals)+len(c.attached))
	for arn, p := range stored.principals {
		all[arn] = describePrincipal(p.record)
	}
	for arn, policies := range c.attached {
		all[arn] = &operatorv1.Principal{Arn: &arn, Policies: policies, Configured: new(true)}
	}
	for _, name := range slices.Sorted(maps.Keys(c.names)) {
		p := all[c.names[name]]
		p.Names = append(p.Names, name)
	}
	return sortedValues(all)
}

// sortedValues returns the values in the order of their keys.
func sortedValues[V any](all map[string]V) []V {
	values := make([]V, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		values = append(values, all[key])
	}
	return values
}

func describePrincipal(r *storagev1.PrincipalRecord) *operatorv1.Principal {
	return &operatorv1.Principal{Arn: r.Arn, Names: r.GetNames(), Policies: r.GetPolicies(), Created: r.Created, Updated: r.Updated}
}
