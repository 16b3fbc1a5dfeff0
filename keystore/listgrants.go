package keystore

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// defaultGrantPage and maxGrantPage are how many grants a page has.
const (
	defaultGrantPage = 50
	maxGrantPage     = 100
)

// ListGrants lists a key's grants in the order of their ids.
func (k *Keystore) ListGrants(ctx context.Context, req *kmsv1.ListGrantsRequest) (*kmsv1.ListGrantsResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_ListGrants_FullMethodName, req, plan[*kmsv1.ListGrantsResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		run: func(_ context.Context, p *proof) (*kmsv1.ListGrantsResponse, error) {
			if req.GrantId != nil {
				if err := k.hasGrant(p.key, req.GetGrantId()); err != nil {
					return nil, err
				}
			}
			wanted := func(g *storagev1.GrantRecord) bool {
				return (req.GrantId == nil || g.GetGrantId() == req.GetGrantId()) &&
					(req.GranteePrincipal == nil || g.GetGranteePrincipal() == req.GetGranteePrincipal())
			}
			grants, more, err := k.grantPage(req.Limit, req.GetMarker(), "ListGrants", []uuid.UUID{p.key.id}, wanted)
			if err != nil {
				return nil, err
			}
			res := &kmsv1.ListGrantsResponse{Truncated: &more}
			res.Grants, res.NextMarker = k.grantEntries(grants, more)
			return res, nil
		},
	})
}

// ListRetirableGrants lists the grants that a principal may retire, in the order of
// their keys.
func (k *Keystore) ListRetirableGrants(ctx context.Context, req *kmsv1.ListRetirableGrantsRequest) (*kmsv1.ListRetirableGrantsResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_ListRetirableGrants_FullMethodName, req, plan[*kmsv1.ListRetirableGrantsResponse]{
		run: func(context.Context, *proof) (*kmsv1.ListRetirableGrantsResponse, error) {
			wanted := func(g *storagev1.GrantRecord) bool { return g.GetRetiringPrincipal() == req.GetRetiringPrincipal() }
			grants, more, err := k.grantPage(req.Limit, req.GetMarker(), "ListRetirableGrants", k.view.keysWithGrants(), wanted)
			if err != nil {
				return nil, err
			}
			res := &kmsv1.ListRetirableGrantsResponse{Truncated: &more}
			res.Grants, res.NextMarker = k.grantEntries(grants, more)
			return res, nil
		},
	})
}

// grantPage returns a page of the wanted grants of some keys, which are in order.
func (k *Keystore) grantPage(asked *int32, marker, operation string, of []uuid.UUID, wanted func(*storagev1.GrantRecord) bool) (page []*grant, more bool, err error) {
	limit, err := pageLimit(asked, defaultGrantPage, maxGrantPage)
	if err != nil {
		return nil, false, err
	}
	key, after, ok := parseGrantMarker(marker)
	if !ok {
		return nil, false, badMarker(marker, operation)
	}
	for _, id := range of {
		if compareIDs(id, key) < 0 {
			continue
		}
		from := ""
		if id == key {
			from = after
		}
		for _, g := range k.view.grantsAfter(id, from) {
			if !wanted(g.record) {
				continue
			}
			if len(page) == limit {
				return page, true, nil
			}
			page = append(page, g)
		}
	}
	return page, false, nil
}

// grantEntries shows grants as lists do; the marker of a page is the key and the
// id of its last grant.
func (k *Keystore) grantEntries(grants []*grant, more bool) (entries []*kmsv1.GrantListEntry, marker *string) {
	for _, g := range grants {
		entries = append(entries, g.entry(k.scope))
	}
	if more {
		last := grants[len(grants)-1]
		marker = new(base64.RawURLEncoding.EncodeToString([]byte(last.key.String() + "/" + last.record.GetGrantId())))
	}
	return entries, marker
}

func parseGrantMarker(marker string) (key uuid.UUID, after string, ok bool) {
	if marker == "" {
		return uuid.Nil, "", true
	}
	b, err := base64.RawURLEncoding.DecodeString(marker)
	if err != nil {
		return uuid.Nil, "", false
	}
	id, after, found := strings.Cut(string(b), "/")
	key, err = uuid.Parse(id)
	return key, after, err == nil && found
}

// entry describes the grant as lists answer it.
func (g *grant) entry(s scope) *kmsv1.GrantListEntry {
	r := g.record
	e := &kmsv1.GrantListEntry{
		KeyId: new(s.keyARN(g.key)), GrantId: r.GrantId, Name: r.Name, CreationDate: r.Created,
		GranteePrincipal: r.GranteePrincipal, RetiringPrincipal: r.RetiringPrincipal, IssuingAccount: r.IssuingAccount, Operations: r.Operations,
	}
	if len(r.EncryptionContextEquals) > 0 || len(r.EncryptionContextSubset) > 0 {
		e.Constraints = &kmsv1.GrantConstraints{EncryptionContextEquals: r.EncryptionContextEquals, EncryptionContextSubset: r.EncryptionContextSubset}
	}
	return e
}

// grant returns a grant of a key, or nil.
func (v *view) grant(of uuid.UUID, id string) *grant {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if grants := v.grants[of]; grants != nil {
		return grants.byID.values[id]
	}
	return nil
}

// countGrants counts the grants of a key.
func (v *view) countGrants(of uuid.UUID) int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if grants := v.grants[of]; grants != nil {
		return len(grants.byID.order)
	}
	return 0
}

// grantsAfter returns the grants of a key whose ids come after a given one, in
// order.
func (v *view) grantsAfter(of uuid.UUID, after string) []*grant {
	v.mu.RLock()
	defer v.mu.RUnlock()
	grants := v.grants[of]
	if grants == nil {
		return nil
	}
	page, _ := grants.byID.page(after, len(grants.byID.order))
	return page
}

// keysWithGrants returns the ids of the keys that have grants, in order.
func (v *view) keysWithGrants() []uuid.UUID {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.SortedFunc(maps.Keys(v.grants), compareIDs)
}

// sameGrant returns the grant of a key that has the name of a new one, and
// everything else of it but id, token and date; nil if there is none, or the new
// one has no name.
func (v *view) sameGrant(of uuid.UUID, made *storagev1.GrantRecord) *grant {
	if made.Name == nil {
		return nil
	}
	for _, g := range v.grantsAfter(of, "") {
		if g.record.GetName() != made.GetName() {
			continue
		}
		r := proto.CloneOf(g.record)
		r.GrantId, r.GrantToken, r.Created, r.ChangedBy = made.GrantId, made.GrantToken, made.Created, made.ChangedBy
		if proto.Equal(r, made) {
			return g
		}
	}
	return nil
}
