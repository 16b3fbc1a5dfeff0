package keystore

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/proto/describe"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// rotations are the keys that are to be rotated automatically as they are: they
// are enabled, and so is their rotation.
type rotations struct {
	keys  map[uuid.UUID]*key
	first *key // the one that is due first; nil: there is none
}

func newRotations() rotations { return rotations{keys: map[uuid.UUID]*key{}} }

func (r *rotations) put(k *key) {
	r.remove(k.id)
	if k.record.GetState() != enabled || !k.rotation() {
		return
	}
	r.keys[k.id] = k
	if r.first == nil || k.nextRotation().Before(r.first.nextRotation()) {
		r.first = k
	}
}

func (r *rotations) remove(id uuid.UUID) {
	delete(r.keys, id)
	if r.first != nil && r.first.id == id {
		r.first = r.earliest(func(*key) bool { return true })
	}
}

// next is the key that is due first among those that are wanted, or nil. It is
// as good as always the first one.
func (r *rotations) next(wanted func(*key) bool) *key {
	if r.first == nil || wanted(r.first) {
		return r.first
	}
	return r.earliest(wanted)
}

func (r *rotations) earliest(wanted func(*key) bool) (first *key) {
	for _, k := range r.keys {
		if wanted(k) && (first == nil || k.nextRotation().Before(first.nextRotation())) {
			first = k
		}
	}
	return first
}

// nextRotation returns the key whose rotation is due first among those that are
// wanted, or nil, and a channel that is closed at the next change.
func (v *view) nextRotation(wanted func(*key) bool) (first *key, changed <-chan struct{}) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.rotations.next(wanted), v.changed
}

// rotateDueKeys rotates keys when they are due until the context ends. One that
// fell due while it was disabled, or while the service was down, is rotated as
// soon as it can be.
func (k *Keystore) rotateDueKeys(ctx context.Context) {
	k.doWhenDue(ctx, dueWork{
		next:    k.view.nextRotation,
		at:      (*key).nextRotation,
		do:      k.rotateDue,
		failure: "a key could not be rotated; it is tried again",
	})
}

// rotateDue rotates a key that is due, unless the HSM is away. It leaves a RotateKey
// service event.
func (k *Keystore) rotateDue(ctx context.Context, due *key) error {
	if err := k.available(""); err != nil {
		return err
	}
	return k.performService(ctx, due.id, func(old *key) *chore {
		if old.record.GetState() != enabled || !old.rotation() || k.now().Before(old.nextRotation()) {
			return nil // changed meanwhile
		}
		r := k.rotated(old, kmsv1.RotationType_ROTATION_TYPE_AUTOMATIC)
		r.Rotation.Next = timestamppb.New(nextAfter(old.nextRotation(), r.GetRotation().GetPeriodInDays(), k.now()))
		return &chore{
			name: rotateKey, material: newestID(r).String(), details: rotationDetails(old, newestID(r)),
			run: func(ctx context.Context, p *proof) error { return k.storeRotated(ctx, p, old, r) },
		}
	})
}

// nextAfter is when a key is due again that was due at a time: a period after
// that, or after now, if it is late by more than a period.
func nextAfter(due time.Time, days int32, now time.Time) time.Time {
	if next := due.Add(inDays(days)); next.After(now) {
		return next
	}
	return now.Add(inDays(days))
}

// rotated is the record of a key with new material that is current: material
// that was imported to be so, or else one that is yet to be made.
func (k *Keystore) rotated(old *key, why kmsv1.RotationType) *storagev1.KeyRecord {
	r, now := proto.CloneOf(old.record), timestamppb.New(k.now())
	next := newBackingKey(now)
	if i := pendingMaterial(r); i >= 0 {
		next = r.BackingKeys[i]
		next.Created, next.Pending = now, nil
		r.BackingKeys = slices.Delete(r.BackingKeys, i, i+1)
	}
	next.RotationType = why.Enum()
	r.BackingKeys = append(r.BackingKeys, next)
	return r
}

// pendingMaterial is the place of imported material that is to become current,
// and can, or -1.
func pendingMaterial(r *storagev1.KeyRecord) int {
	return slices.IndexFunc(r.GetBackingKeys(), func(b *storagev1.BackingKey) bool { return b.GetPending() && !b.GetDestroyed() })
}

// storeRotated stores a record that rotated has made, and makes its material
// unless that was imported.
func (k *Keystore) storeRotated(ctx context.Context, p *proof, old *key, r *storagev1.KeyRecord) error {
	var err error
	if isImported(old) {
		_, err = k.storeRecord(ctx, p, r, old.revision)
		if err != nil {
			return notStored(ctx, "key "+old.arn, err)
		}
	} else if _, err = k.makeMaterial(ctx, p, r, old.revision); err != nil {
		return err
	}
	k.log.Info("a key has been rotated", "key", old.arn, "backing_key_id", newestID(r), "request_id", p.request)
	return nil
}

// rotationDetails are the serviceEventDetails of an automatic rotation, as
// CloudTrail has them.
func rotationDetails(old *key, to hsmpool.ObjectID) []byte {
	b := []byte(`{"rotationType":"AUTOMATIC","keyOrigin":`)
	b = jsonenc.AppendString(b, describe.WireName(old.record.GetOrigin()))
	b = jsonenc.AppendString(append(b, `,"previousKeyMaterialId":`...), materialID(old.current()))
	b = jsonenc.AppendString(append(b, `,"currentKeyMaterialId":`...), materialID(to))
	b = jsonenc.AppendString(append(b, `,"keyId":`...), old.arn)
	return append(b, '}')
}
