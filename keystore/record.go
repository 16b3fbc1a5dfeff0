package keystore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// stored reads the message at a path, and says whether there is one.
func (k *Keystore) stored(ctx context.Context, path string, m proto.Message) (bool, error) {
	revision, err := readValue(ctx, k.store, path, m) // zero if there is none
	if err != nil {
		return false, fmt.Errorf("reading the metadata: %w", err)
	}
	return revision != 0, nil
}

// hasObject says whether a record names an object of the token.
func hasObject(r *storagev1.KeyRecord, id hsmpool.ObjectID) bool {
	return string(r.GetImport().GetWrappingKeyId()) == string(id[:]) || slices.ContainsFunc(r.GetBackingKeys(), func(b *storagev1.BackingKey) bool {
		return string(b.GetId()) == string(id[:]) && !b.GetDestroyed()
	})
}

// isDestroyed says whether a record names imported material that is, or is to be,
// destroyed.
func isDestroyed(r *storagev1.KeyRecord, id hsmpool.ObjectID) bool {
	return slices.ContainsFunc(r.GetBackingKeys(), func(b *storagev1.BackingKey) bool {
		return string(b.GetId()) == string(id[:]) && b.GetDestroyed()
	})
}

// storeRecord writes a key's record in the name of the request and waits until
// the view shows it. It replaces the record of a revision, 0 if there is none.
func (k *Keystore) storeRecord(ctx context.Context, p *proof, r *storagev1.KeyRecord, revision uint64) (*key, error) {
	r.ChangedBy = &p.request
	made, err := newKey(k.scope, r, 0)
	if err != nil {
		return nil, fmt.Errorf("checking the record of %s: %w", r.GetArn(), err)
	}
	made.revision, err = replaceValue(ctx, k.store, k.scope.keyPath(made.id), r, revision)
	if err != nil {
		return nil, fmt.Errorf("storing the record of %s: %w", r.GetArn(), err)
	}
	p.revision = made.revision
	k.reach(ctx, made.revision)
	return made, nil
}

// storeAlias writes the record of an alias, which is new or replaces an old
// one, provided that its key is still as it was when it was checked.
func (k *Keystore) storeAlias(ctx context.Context, p *proof, old *alias, of *key, r *storagev1.AliasRecord) error {
	r.ChangedBy = &p.request
	value, err := encodeValue(r)
	if err != nil {
		return err
	}
	path, revision := k.scope.aliasPath(r.GetName()), uint64(0)
	if old != nil {
		revision = old.revision
	}
	err = k.commit(ctx, p, metadata.Txn{
		Conditions: []metadata.Condition{{Key: path, Revision: revision}, {Key: k.scope.keyPath(of.id), Revision: of.revision}},
		Puts:       []metadata.KeyValue{{Key: path, Value: value}},
	})
	if err != nil {
		return notStored(ctx, "alias "+r.GetName(), err)
	}
	return nil
}

// commit makes a change of the metadata in the name of the request and waits
// until the view shows it.
func (k *Keystore) commit(ctx context.Context, p *proof, t metadata.Txn) error {
	revision, err := k.store.Commit(ctx, t)
	if err != nil {
		return err
	}
	p.revision = revision
	k.reach(ctx, revision)
	return nil
}

// reach waits until the view shows a revision, also for a caller who has gone: the
// next change of the same thing must see this one. The change is made, whatever
// becomes of the view.
func (k *Keystore) reach(ctx context.Context, revision uint64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := k.view.reach(ctx, revision); err != nil {
		k.log.Warn("a stored change is not seen yet", "revision", revision, "error", err)
	}
}

// notStored is the answer to a change that could not be stored, or not for
// certain.
func notStored(ctx context.Context, what string, err error) error {
	switch {
	case errors.Is(err, metadata.ErrConflict):
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "%s was changed by others meanwhile; nothing was changed. Try again.", what).because(err)
	case errors.Is(err, ctx.Err()) && ctx.Err() != nil:
		return outOfTime(ctx, "The key metadata").because(err)
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The change of %s could not be stored for certain; it may have taken effect.", what).because(err)
}
