package keystore

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-kms/strongroom/hsmpool"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// ListHsmOrphans compares the keys of the tokens with the metadata.
func (o *operator) ListHsmOrphans(ctx context.Context, req *operatorv1.ListHsmOrphansRequest) (*operatorv1.ListHsmOrphansResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_ListHsmOrphans_FullMethodName, req, plan[*operatorv1.ListHsmOrphansResponse]{
		run: func(ctx context.Context, p *proof) (*operatorv1.ListHsmOrphansResponse, error) {
			res, err := o.k.orphans(ctx)
			if err != nil {
				return nil, p.hsmError(ctx, err)
			}
			return res, nil
		},
	})
}

// reportOrphans says, when the service has started, how token and metadata
// differ: it may be another token than the one that the keys were made in.
func (k *Keystore) reportOrphans(ctx context.Context) {
	res, err := k.orphans(ctx)
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

// orphans reads the metadata before and after the tokens. Material that a
// change under way makes or removes is in neither or in one of the two, and is
// no orphan.
func (k *Keystore) orphans(ctx context.Context) (*operatorv1.ListHsmOrphansResponse, error) {
	before := k.view.backingKeys()
	objects, err := k.hsm.Objects(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the keys of the tokens: %w", err)
	}
	res, found := new(operatorv1.ListHsmOrphansResponse), map[hsmpool.ObjectID]bool{}
	making := k.changes.material()
	after := k.view.backingKeys()
	for _, object := range objects {
		id, known := objectID(object)
		found[id] = found[id] || known
		if !known || before[id] == nil && after[id] == nil && !making[id.String()] {
			res.TokenOrphans = append(res.TokenOrphans, k.describeObject(object))
		}
	}
	for id, key := range after {
		if before[id] != nil && !found[id] && key.record.DeletionStarted == nil {
			res.MetadataOrphans = append(res.MetadataOrphans, &operatorv1.MetadataOrphan{
				KeyArn: &key.arn, BackingKeyId: new(id.String()), Current: new(id == key.current()),
			})
		}
	}
	slices.SortFunc(res.MetadataOrphans, func(a, b *operatorv1.MetadataOrphan) int {
		return cmp.Or(strings.Compare(a.GetKeyArn(), b.GetKeyArn()), strings.Compare(a.GetBackingKeyId(), b.GetBackingKeyId()))
	})
	return res, nil
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
	r, err := k.scope.parseReference(o.Label)
	ours := err == nil && o.Label == k.scope.keyARN(r.key)
	return &operatorv1.TokenOrphan{HsmId: &o.HSM, ObjectId: new(hex.EncodeToString(o.ID)), Label: &o.Label, Ours: &ours}
}
