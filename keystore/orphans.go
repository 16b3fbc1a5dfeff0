package keystore

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/strongroom-kms/strongroom/hsmpool"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// ListHsmOrphans compares the keys of the tokens with the metadata.
func (o *operator) ListHsmOrphans(ctx context.Context, req *operatorv1.ListHsmOrphansRequest) (*operatorv1.ListHsmOrphansResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_ListHsmOrphans_FullMethodName, req, plan[*operatorv1.ListHsmOrphansResponse]{
		run: func(ctx context.Context, p *proof) (*operatorv1.ListHsmOrphansResponse, error) {
			return o.k.orphans(ctx, p)
		},
	})
}

// orphans reads the metadata before and after the tokens. Material that a
// change under way makes or removes is in neither or in one of the two, and is
// no orphan.
func (k *Keystore) orphans(ctx context.Context, p *proof) (*operatorv1.ListHsmOrphansResponse, error) {
	before := k.view.backingKeys()
	objects, err := k.hsm.Objects(hsmpool.WithRequestID(ctx, p.request))
	if err != nil {
		return nil, p.hsmError(ctx, err)
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
