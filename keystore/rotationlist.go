package keystore

import (
	"context"
	"encoding/base64"
	"slices"

	"github.com/strongroom-kms/strongroom/hsmpool"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// ListKeyRotations lists the rotations of a key, or all of its material, oldest
// first. Material that has taken over because its predecessor was used as often
// as it should be is no rotation: it is listed among all material only, without
// a date and a type, as a key's first material is.
func (k *Keystore) ListKeyRotations(ctx context.Context, req *kmsv1.ListKeyRotationsRequest) (*kmsv1.ListKeyRotationsResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_ListKeyRotations_FullMethodName, req, plan[*kmsv1.ListKeyRotationsResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		check:   onKey(rotationListable),
		run: func(_ context.Context, p *proof) (*kmsv1.ListKeyRotationsResponse, error) {
			from, err := afterMaterial(p.key, req.GetMarker())
			if err != nil {
				return nil, err
			}
			limit, err := pageLimit(req.Limit, defaultPage, maxPage)
			if err != nil {
				return nil, err
			}
			all := req.GetIncludeKeyMaterial() == kmsv1.IncludeKeyMaterial_INCLUDE_KEY_MATERIAL_ALL_KEY_MATERIAL
			return rotationPage(p.key, all, from, limit), nil
		},
	})
}

// afterMaterial is the place of the first backing key after the one that a
// marker names: its id, in base64.
func afterMaterial(k *key, marker string) (int, error) {
	if marker == "" {
		return 0, nil
	}
	id, err := base64.RawURLEncoding.DecodeString(marker)
	if err != nil || len(id) != len(hsmpool.ObjectID{}) {
		return 0, badMarker(marker, "ListKeyRotations")
	}
	i := slices.Index(k.backing, hsmpool.ObjectID(id))
	if i < 0 {
		return 0, badMarker(marker, "ListKeyRotations")
	}
	return i + 1, nil
}

// rotationPage answers up to limit rotations from a place among the backing
// keys on, or that much material.
func rotationPage(k *key, all bool, from, limit int) *kmsv1.ListKeyRotationsResponse {
	res := &kmsv1.ListKeyRotationsResponse{Truncated: new(false)}
	var last []byte
	for _, b := range k.record.GetBackingKeys()[from:] {
		if b.RotationType == nil && !all {
			continue
		}
		if len(res.Rotations) == limit {
			res.Truncated, res.NextMarker = new(true), new(base64.RawURLEncoding.EncodeToString(last))
			return res
		}
		res.Rotations, last = append(res.Rotations, rotationEntry(k, b)), b.GetId()
	}
	return res
}

// rotationEntry describes one backing key of a key.
func rotationEntry(k *key, b *storagev1.BackingKey) *kmsv1.RotationsListEntry {
	id := hsmpool.ObjectID(b.GetId())
	e := &kmsv1.RotationsListEntry{KeyId: &k.arn, KeyMaterialId: new(materialID(id)), KeyMaterialState: materialState(k, b).Enum()}
	if b.RotationType != nil {
		e.RotationDate, e.RotationType = b.Created, b.RotationType
	}
	if isImported(k) {
		e.KeyMaterialDescription, e.ValidTo, e.ExpirationModel = b.Description, b.ValidTo, expirationModel(b).Enum()
		e.ImportState = kmsv1.ImportState_IMPORT_STATE_IMPORTED.Enum()
		if b.GetDestroyed() {
			e.ImportState = kmsv1.ImportState_IMPORT_STATE_PENDING_IMPORT.Enum()
		}
	}
	return e
}

func materialState(k *key, b *storagev1.BackingKey) kmsv1.KeyMaterialState {
	switch {
	case b.GetPending():
		return kmsv1.KeyMaterialState_KEY_MATERIAL_STATE_PENDING_ROTATION
	case hsmpool.ObjectID(b.GetId()) == k.current():
		return kmsv1.KeyMaterialState_KEY_MATERIAL_STATE_CURRENT
	}
	return kmsv1.KeyMaterialState_KEY_MATERIAL_STATE_NON_CURRENT
}
