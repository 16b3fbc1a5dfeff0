package keystore

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// DeleteImportedKeyMaterial destroys imported material. The same material can be
// imported again. Material that is not there is no error.
func (k *Keystore) DeleteImportedKeyMaterial(ctx context.Context, req *kmsv1.DeleteImportedKeyMaterialRequest) (*kmsv1.DeleteImportedKeyMaterialResponse, error) {
	place := -1
	return perform(ctx, k, kmsv1.KeyManagementService_DeleteImportedKeyMaterial_FullMethodName, req, plan[*kmsv1.DeleteImportedKeyMaterialResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		check: onKey(func(of *key) (err error) {
			if err = importable(of); err != nil {
				return err
			}
			place, err = materialToDelete(of, req.KeyMaterialId)
			return err
		}),
		change: func(found []target) audit.Intent {
			i := audit.Intent{KeyARN: found[0].key.arn}
			if place >= 0 {
				i.BackingKeyID = found[0].key.backing[place].String()
			}
			return i
		},
		run: func(ctx context.Context, p *proof) (*kmsv1.DeleteImportedKeyMaterialResponse, error) {
			res := &kmsv1.DeleteImportedKeyMaterialResponse{KeyId: &p.key.arn}
			if place < 0 {
				return res, nil
			}
			res.KeyMaterialId = new(materialID(p.key.backing[place]))
			return res, k.giveUpMaterial(ctx, p, place)
		},
	})
}

// materialToDelete is the place of the material that is to be destroyed: the
// named one, or the current one; -1: it is not there.
func materialToDelete(of *key, id *string) (int, error) {
	place := slices.Index(of.backing, of.current())
	if id != nil {
		place = slices.IndexFunc(of.backing, func(b hsmpool.ObjectID) bool { return materialID(b) == *id })
		if place < 0 {
			return -1, errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "Key material %s of %s is not found.", *id, of.arn)
		}
	}
	if place < 0 || of.record.GetBackingKeys()[place].GetDestroyed() {
		return -1, nil
	}
	return place, nil
}

// giveUpMaterial destroys imported material of the proof's key. First the record
// says so: whatever happens then, it is not used any more, and a start that finds
// the intent destroys it.
func (k *Keystore) giveUpMaterial(ctx context.Context, p *proof, place int) error {
	id, r := p.key.backing[place], proto.CloneOf(p.key.record)
	r.BackingKeys[place].Destroyed = new(true)
	if r.GetState() != pendingDeletion && (r.GetState() != disabled || !r.BackingKeys[place].GetPending()) {
		r.State = pendingImport.Enum()
	}
	r.BackingKeys[place].ValidTo = nil
	changed, err := k.storeRecord(ctx, p, r, p.key.revision)
	if err != nil {
		return notStored(ctx, "key "+p.key.arn, err)
	}
	p.unsettled = true
	_, err = p.destroy(ctx, id)
	p.key = changed
	if err != nil {
		return p.hsmError(ctx, err)
	}
	return nil
}

// lacksMaterial says whether a key cannot be used before material is imported.
func lacksMaterial(r *storagev1.KeyRecord) bool {
	if r.GetOrigin() != external {
		return false
	}
	return len(r.GetBackingKeys()) == 0 || slices.ContainsFunc(r.GetBackingKeys(), func(b *storagev1.BackingKey) bool { return b.GetDestroyed() })
}

// expires is the material of a key that expires first, and when; -1 if none does.
func (k *key) expires() (place int, at time.Time) {
	place = -1
	for i, b := range k.record.GetBackingKeys() {
		if b.ValidTo == nil || b.GetDestroyed() {
			continue
		}
		if t := b.GetValidTo().AsTime(); place < 0 || t.Before(at) {
			place, at = i, t
		}
	}
	return place, at
}

func (k *key) expiry() time.Time {
	_, at := k.expires()
	return at
}

// nextExpiry returns the key whose material expires first among those that are
// wanted, or nil, and a channel that is closed at the next change.
func (v *view) nextExpiry(wanted func(*key) bool) (first *key, changed <-chan struct{}) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, k := range v.expiring {
		if wanted(k) && (first == nil || k.expiry().Before(first.expiry())) {
			first = k
		}
	}
	return first, v.changed
}

// destroyExpired destroys imported material when it expires, until the context
// ends.
func (k *Keystore) destroyExpired(ctx context.Context) {
	k.doWhenDue(ctx, dueWork{
		next:    k.view.nextExpiry,
		at:      (*key).expiry,
		do:      k.destroyOneExpired,
		failure: "imported key material that has expired could not be destroyed; it is tried again",
	})
}

// destroyOneExpired leaves a DeleteExpiredKeyMaterial service event.
func (k *Keystore) destroyOneExpired(ctx context.Context, due *key) error {
	return k.performService(ctx, due.id, func(of *key) *chore {
		place, at := of.expires()
		if place < 0 || k.now().Before(at) {
			return nil // changed meanwhile
		}
		return &chore{name: deleteExpired, material: of.backing[place].String(), run: func(ctx context.Context, p *proof) error {
			return k.giveUpMaterial(ctx, p, place)
		}}
	})
}

// removesMaterial says whether an event is of something that destroys material
// which the record has.
func removesMaterial(eventName string) bool {
	return eventName == deleteExpired || eventName == "DeleteImportedKeyMaterial"
}

// expirationOf shows when a key's imported material expires, in its metadata.
func (k *key) expirationOf(m *kmsv1.KeyMetadata) {
	current := slices.Index(k.backing, k.current())
	if !isImported(k) || current < 0 || k.record.GetBackingKeys()[current].GetDestroyed() {
		return
	}
	b := k.record.GetBackingKeys()[current]
	m.ExpirationModel, m.ValidTo = expirationModel(b).Enum(), b.ValidTo
}

// expirationModel says whether imported material expires.
func expirationModel(b *storagev1.BackingKey) kmsv1.ExpirationModelType {
	if b.ValidTo != nil {
		return kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_EXPIRES
	}
	return kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_DOES_NOT_EXPIRE
}
