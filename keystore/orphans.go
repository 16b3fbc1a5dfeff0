package keystore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/strongroom-kms/strongroom/hsmpool"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// ListHsmOrphans compares the keys of the tokens, those of connected custom key
// stores too, with the metadata.
func (o *operator) ListHsmOrphans(ctx context.Context, req *operatorv1.ListHsmOrphansRequest) (*operatorv1.ListHsmOrphansResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_ListHsmOrphans_FullMethodName, req, plan[*operatorv1.ListHsmOrphansResponse]{
		run: func(ctx context.Context, p *proof) (*operatorv1.ListHsmOrphansResponse, error) {
			res, err := o.k.orphans(ctx, o.k.regions.hsms())
			if err != nil {
				return nil, p.hsmError(ctx, err)
			}
			return res, nil
		},
	})
}

// reportOrphans says, when the service has started, how token and metadata
// differ: it may be another token than the one that the keys were made in.
func (k *Keystore) reportOrphans(ctx context.Context, hsm HSM) {
	if k != k.regions.Default() {
		return // once for all Regions
	}
	if !awaitHSM(ctx, hsm) {
		return // the service stops
	}
	res, err := k.orphans(ctx, map[string]HSM{"": hsm})
	if ctx.Err() != nil {
		return // the service stops
	}
	if err != nil {
		k.log.Warn("the keys of the token could not be compared with the metadata", "error", err)
		return
	}
	if n := len(res.MetadataOrphans); n > 0 {
		k.log.Error("key material is missing from the token: is it the right token? See strongroom hsm orphans",
			"missing", n, "first_key", res.MetadataOrphans[0].GetKeyArn(), "first_backing_key_id", res.MetadataOrphans[0].GetBackingKeyId())
	}
	if n := len(res.TokenOrphans); n > 0 {
		k.log.Warn("the token has keys that the metadata does not know; they are left alone. See strongroom hsm orphans", "unknown", n)
	}
}

// orphans compares the metadata of all Regions before and after a reading of the
// HSMs, which are given by their stores' ids, with that reading. Material that a
// change under way makes or removes is no orphan.
func (k *Keystore) orphans(ctx context.Context, hsms map[string]HSM) (*operatorv1.ListHsmOrphansResponse, error) {
	before := k.regions.materials()
	objects, unknown, err := k.unknownObjects(ctx, hsms, before)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		// A request that has failed since may just have destroyed what it had made.
		_, again, err := k.unknownObjects(ctx, hsms, before)
		if err != nil {
			return nil, err
		}
		unknown = slices.DeleteFunc(unknown, func(o hsmpool.Object) bool {
			return !slices.ContainsFunc(again, func(a hsmpool.Object) bool { return a.HSM == o.HSM && bytes.Equal(a.ID, o.ID) })
		})
	}
	res := &operatorv1.ListHsmOrphansResponse{SkippedKeyStores: k.regions.customStoresBeside(hsms)}
	for _, o := range unknown {
		res.TokenOrphans = append(res.TokenOrphans, k.describeObject(o))
	}
	res.MetadataOrphans = withoutObjects(before, k.regions.materials(), objects)
	return res, nil
}

// unknownObjects returns the keys of all tokens, by their stores' ids, and those
// among them that the metadata did not know and does not know, and that no change
// under way makes.
func (k *Keystore) unknownObjects(ctx context.Context, hsms map[string]HSM, before map[hsmpool.ObjectID]material) (all map[string][]hsmpool.Object, unknown []hsmpool.Object, err error) {
	all = map[string][]hsmpool.Object{}
	for _, store := range slices.Sorted(maps.Keys(hsms)) {
		objects, err := hsms[store].Objects(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("listing the keys of the tokens: %w", err)
		}
		all[store] = objects
		making := k.changes.material() // first: what has been made since is in the metadata
		after := k.regions.materials()
		for _, o := range objects {
			id, ours := objectID(o)
			_, was := before[id]
			_, is := after[id]
			if !ours || !was && !is && !making[id.String()] {
				unknown = append(unknown, o)
			}
		}
	}
	return all, unknown, nil
}

// withoutObjects returns the material that was and is in the metadata, and not in
// the tokens of its store, if these were read. That of a key whose deletion has
// begun is on its way.
func withoutObjects(before, after map[hsmpool.ObjectID]material, objects map[string][]hsmpool.Object) (orphans []*operatorv1.MetadataOrphan) {
	found := map[hsmpool.ObjectID]bool{}
	for _, inStore := range objects {
		for _, o := range inStore {
			if id, ours := objectID(o); ours {
				found[id] = true
			}
		}
	}
	for id, m := range after {
		_, was := before[id]
		_, read := objects[m.store]
		if was && read && !found[id] && !m.going {
			orphans = append(orphans, &operatorv1.MetadataOrphan{KeyArn: &m.arn, BackingKeyId: new(id.String()), Current: &m.current})
		}
	}
	slices.SortFunc(orphans, func(a, b *operatorv1.MetadataOrphan) int {
		return cmp.Or(strings.Compare(a.GetKeyArn(), b.GetKeyArn()), strings.Compare(a.GetBackingKeyId(), b.GetBackingKeyId()))
	})
	return orphans
}

// objectID returns the CKA_ID of an object, and whether it is one that this
// service could have given.
func objectID(o hsmpool.Object) (hsmpool.ObjectID, bool) {
	if len(o.ID) != len(hsmpool.ObjectID{}) {
		return hsmpool.ObjectID{}, false
	}
	return hsmpool.ObjectID(o.ID), true
}

func (k *Keystore) describeObject(o hsmpool.Object) *operatorv1.TokenOrphan {
	ours := o.Label == k.scope.sealingKeyARN() || strings.HasPrefix(o.Label, k.scope.auditKeyARN(""))
	if of := k.regions.of(o.Label); of != nil {
		r, err := of.scope.parseReference(o.Label)
		ours = err == nil && o.Label == of.scope.keyARN(r.key) || strings.HasPrefix(o.Label, of.scope.storeARN(""))
	}
	return &operatorv1.TokenOrphan{HsmId: &o.HSM, ObjectId: new(hex.EncodeToString(o.ID)), Label: &o.Label, Ours: &ours}
}
