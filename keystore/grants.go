package keystore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/keystore/policy"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// maxGrants is how many grants a key may have.
const maxGrants = 50_000

// CreateGrant lets a principal do some operations with a key. One that repeats an
// earlier request, name included, answers the same grant.
func (k *Keystore) CreateGrant(ctx context.Context, req *kmsv1.CreateGrantRequest) (*kmsv1.CreateGrantResponse, error) {
	made := k.newGrant(req)
	return perform(ctx, k, kmsv1.KeyManagementService_CreateGrant_FullMethodName, req, plan[*kmsv1.CreateGrantResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		judge:   func(r *request, d policy.Decision) error { return r.mayPassOn(d, req) },
		check:   onKey(func(of *key) error { return grantable(of, req) }),
		change:  grantIntent,
		run: func(ctx context.Context, p *proof) (*kmsv1.CreateGrantResponse, error) {
			record, err := k.makeGrant(ctx, p, k.grantOf(p.key, made))
			if err != nil {
				return nil, err
			}
			return &kmsv1.CreateGrantResponse{GrantId: record.GrantId, GrantToken: record.GrantToken}, nil
		},
	})
}

// RevokeGrant ends a grant.
func (k *Keystore) RevokeGrant(ctx context.Context, req *kmsv1.RevokeGrantRequest) (*kmsv1.RevokeGrantResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_RevokeGrant_FullMethodName, req, plan[*kmsv1.RevokeGrantResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		check:   onKey(func(of *key) error { return k.hasGrant(of, req.GetGrantId()) }),
		change:  grantIntent,
		run: func(ctx context.Context, p *proof) (*kmsv1.RevokeGrantResponse, error) {
			return new(kmsv1.RevokeGrantResponse), k.removeGrant(ctx, p, req.GetGrantId())
		},
	})
}

// RetireGrant ends a grant for its retiring principal, for its grantee if it is
// one of its operations, and for whom the policies allow it.
func (k *Keystore) RetireGrant(ctx context.Context, req *kmsv1.RetireGrantRequest) (*kmsv1.RetireGrantResponse, error) {
	keyID, grantID, malformed := retired(req)
	return perform(ctx, k, kmsv1.KeyManagementService_RetireGrant_FullMethodName, req, plan[*kmsv1.RetireGrantResponse]{
		targets: on(func() target {
			if malformed != nil {
				return target{resource: "*", err: malformed}
			}
			return k.byKeyID(keyID)()
		}),
		judge:  func(r *request, d policy.Decision) error { return r.mayRetire(d, grantID) },
		check:  onKey(func(of *key) error { return k.hasGrant(of, grantID) }),
		change: grantIntent,
		run: func(ctx context.Context, p *proof) (*kmsv1.RetireGrantResponse, error) {
			return new(kmsv1.RetireGrantResponse), k.removeGrant(ctx, p, grantID)
		},
	})
}

// retired reads which grant a RetireGrant request names: by its token, or by key
// and id.
func retired(req *kmsv1.RetireGrantRequest) (keyID, grantID string, err error) {
	byToken, byID := req.GrantToken != nil, req.KeyId != nil && req.GrantId != nil
	if byToken == byID || byToken && (req.KeyId != nil || req.GrantId != nil) {
		return "", "", errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "Specify either GrantToken, or KeyId and GrantId.")
	}
	if !byToken {
		return req.GetKeyId(), req.GetGrantId(), nil
	}
	of, grantID, ok := parseGrantToken(req.GetGrantToken())
	if !ok {
		return "", "", invalidGrantToken()
	}
	return of.String(), grantID, nil
}

// mayRetire judges who may retire a grant: whom the policies allow, its retiring
// principal, and its grantee if that is one of its operations. Another grant of
// the key gives no right to it.
func (r *request) mayRetire(d policy.Decision, grantID string) error {
	t := r.targets[0]
	if d.Denied() || t.key == nil || d.Allowed() && d.GrantID() == "" {
		return r.refusal(d, "kms:RetireGrant", t)
	}
	if g := r.k.view.grant(t.key.id, grantID); g != nil && g.retirableBy(r.caller.Principal) {
		return nil
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED,
		"User: %s is not authorized to perform: kms:RetireGrant on resource: %s because no resource-based policy allows the kms:RetireGrant action", r.caller.Principal, t.resource)
}

func (g *grant) retirableBy(principal string) bool {
	return policy.Reaches(g.record.GetRetiringPrincipal(), principal) ||
		policy.Reaches(g.record.GetGranteePrincipal(), principal) && g.allows(kmsv1.GrantOperation_GRANT_OPERATION_RETIRE_GRANT)
}

func (g *grant) allows(o kmsv1.GrantOperation) bool {
	return slices.Contains(g.record.GetOperations(), o)
}

// mayPassOn judges who may make a grant: one who may do so by grants alone may
// pass on no more than one of these gives.
func (r *request) mayPassOn(d policy.Decision, req *kmsv1.CreateGrantRequest) error {
	t := r.targets[0]
	if err := r.refusal(d, "kms:CreateGrant", t); err != nil || d.GrantID() == "" {
		return err
	}
	for _, g := range r.k.view.grantsAfter(t.key.id, "") {
		if policy.Reaches(g.record.GetGranteePrincipal(), r.caller.Principal) && g.allows(kmsv1.GrantOperation_GRANT_OPERATION_CREATE_GRANT) && narrower(req, g.record) {
			return nil
		}
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED,
		"User: %s is not authorized to perform: kms:CreateGrant on resource: %s because the grant that allows it gives less than the new one would", r.caller.Principal, t.resource)
}

// narrower says whether a new grant gives no more than another one.
func narrower(req *kmsv1.CreateGrantRequest, than *storagev1.GrantRecord) bool {
	for _, o := range req.GetOperations() {
		if !slices.Contains(than.GetOperations(), o) {
			return false
		}
	}
	equals, subset := req.GetConstraints().GetEncryptionContextEquals(), req.GetConstraints().GetEncryptionContextSubset()
	if limit := than.GetEncryptionContextEquals(); len(limit) > 0 {
		return maps.Equal(equals, limit)
	}
	pairs := subset
	if len(equals) > 0 {
		pairs = equals
	}
	for k, v := range than.GetEncryptionContextSubset() {
		if has, ok := pairs[k]; !ok || has != v {
			return false
		}
	}
	return true
}

func grantIntent(found []target) audit.Intent { return audit.Intent{KeyARN: found[0].key.arn} }

// newGrant describes a new grant but for its key.
func (k *Keystore) newGrant(req *kmsv1.CreateGrantRequest) *storagev1.GrantRecord {
	id := make([]byte, grantIDBytes)
	_, _ = rand.Read(id) // never fails, by its contract
	r := &storagev1.GrantRecord{
		GrantId: new(hex.EncodeToString(id)), Name: req.Name,
		GranteePrincipal: req.GranteePrincipal, RetiringPrincipal: req.RetiringPrincipal, IssuingAccount: new("arn:aws:iam::" + k.scope.account + ":root"),
		EncryptionContextEquals: req.GetConstraints().GetEncryptionContextEquals(), EncryptionContextSubset: req.GetConstraints().GetEncryptionContextSubset(),
		Created: timestamppb.Now(),
	}
	for _, o := range req.GetOperations() {
		if !slices.Contains(r.Operations, o) {
			r.Operations = append(r.Operations, o)
		}
	}
	slices.Sort(r.Operations) // so that the same grant looks the same
	return r
}

// grantOf completes the description of a new grant of a key.
func (k *Keystore) grantOf(of *key, r *storagev1.GrantRecord) *storagev1.GrantRecord {
	r.KeyId, r.GrantToken = of.record.KeyId, new(grantToken(of.id, r.GetGrantId()))
	return r
}

// makeGrant stores a grant, unless the key has it already, and returns it.
func (k *Keystore) makeGrant(ctx context.Context, p *proof, r *storagev1.GrantRecord) (*storagev1.GrantRecord, error) {
	if former := k.view.sameGrant(p.key.id, r); former != nil {
		return former.record, nil
	}
	if k.view.countGrants(p.key.id) >= maxGrants {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED, "Key %s has %d grants, and may not have more.", p.key.arn, maxGrants)
	}
	return r, k.storeGrant(ctx, p, r)
}

// storeGrant writes a grant, and in the key's record who has changed it.
func (k *Keystore) storeGrant(ctx context.Context, p *proof, r *storagev1.GrantRecord) error {
	r.ChangedBy = &p.request
	value, err := encodeValue(r)
	if err != nil {
		return err
	}
	return k.changeGrants(ctx, p, metadata.Txn{Puts: []metadata.KeyValue{{Key: k.scope.grantPath(p.key.id, r.GetGrantId()), Value: value}}})
}

// removeGrant removes a grant of the proof's key.
func (k *Keystore) removeGrant(ctx context.Context, p *proof, id string) error {
	return k.changeGrants(ctx, p, metadata.Txn{Deletes: []string{k.scope.grantPath(p.key.id, id)}})
}

// changeGrants makes a change of the key's grants together with one of its
// record, which tells after a crash whether the change was made.
func (k *Keystore) changeGrants(ctx context.Context, p *proof, t metadata.Txn) error {
	r, path := proto.CloneOf(p.key.record), k.scope.keyPath(p.key.id)
	r.ChangedBy = &p.request
	value, err := encodeValue(r)
	if err != nil {
		return err
	}
	t.Conditions = append(t.Conditions, metadata.Condition{Key: path, Revision: p.key.revision})
	t.Puts = append(t.Puts, metadata.KeyValue{Key: path, Value: value})
	if err := k.commit(ctx, p, t); err != nil {
		return notStored(ctx, "the grants of key "+p.key.arn, err)
	}
	return nil
}
