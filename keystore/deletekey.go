package keystore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// deleteDueKeys deletes keys whose waiting period is over until the context
// ends. One that fell due while the service was down is deleted at its start.
func (k *Keystore) deleteDueKeys(ctx context.Context) {
	k.doWhenDue(ctx, dueWork{
		next:    k.view.nextDeletion,
		at:      (*key).deletionDate,
		do:      k.deleteDue,
		failure: "a key could not be deleted; it is tried again",
	})
}

// deleteDue deletes a key that is due, unless its HSM is away for the moment, be it the
// default one or that of a custom key store which is connected or about to be: its
// material can be destroyed when the HSM is back.
func (k *Keystore) deleteDue(ctx context.Context, due *key) error {
	if due.store() == "" || k.wanted(due.store()) {
		if err := k.available(due.store()); err != nil {
			return err
		}
	}
	return k.performService(ctx, due.id, func(key *key) *chore {
		if !key.pendingDeletion() || k.now().Before(key.deletionDate()) {
			return nil // cancelled meanwhile
		}
		return &chore{name: deleteKey, run: k.deleteKey}
	})
}

// deleteKey deletes the proof's key: first it is marked, so that the deletion
// cannot be cancelled any more, then its material is destroyed, then the
// metadata is removed. Cut off anywhere, it is done again from its beginning. In a
// custom key store that is not connected the destruction is tried once, as AWS does: its
// HSM may be away for good, and whoever knows that it is disconnects the store.
func (k *Keystore) deleteKey(ctx context.Context, p *proof) error {
	doomed, begun := p.key, p.key.record.DeletionStarted != nil
	if !begun {
		r := proto.CloneOf(doomed.record)
		r.DeletionStarted = timestamppb.Now()
		marked, err := k.storeRecord(ctx, p, r, doomed.revision)
		if err != nil {
			return notStored(ctx, "key "+doomed.arn, err)
		}
		doomed = marked
	}
	if err := p.destroyAll(ctx, doomed.objects(), begun); err != nil {
		if doomed.store() == "" || k.wanted(doomed.store()) {
			return err
		}
		k.log.Error("the material of a deleted key was left in the cluster of its custom key store; destroy it there by its CKA_ID",
			"key", doomed.arn, "custom_key_store_id", doomed.store(), "request_id", p.request, "error", err)
	}
	if err := k.forget(ctx, p, doomed); err != nil {
		return notStored(ctx, "key "+doomed.arn, err)
	}
	k.log.Info("a key has been deleted", "key", doomed.arn, "request_id", p.request)
	return nil
}

// forget removes a key's metadata: the counts of its backing keys, its aliases,
// then the key and its last use.
func (k *Keystore) forget(ctx context.Context, p *proof, doomed *key) error {
	k.meter.forget(doomed.backing)
	for ids := range slices.Chunk(doomed.backing, metadata.MaxTxnKeys) {
		var counts metadata.Txn
		for _, id := range ids {
			counts.Deletes = append(counts.Deletes, k.meter.path(id))
		}
		if _, err := k.store.Commit(ctx, counts); err != nil {
			return fmt.Errorf("removing the counts of %s: %w", doomed.arn, err)
		}
	}
	if err := k.forgetAliases(ctx, p, doomed); err != nil {
		return err
	}
	if err := k.forgetGrants(ctx, doomed); err != nil {
		return err
	}
	return k.commit(ctx, p, metadata.Txn{
		Conditions: []metadata.Condition{{Key: k.scope.keyPath(doomed.id), Revision: doomed.revision}},
		Deletes:    []string{k.scope.keyPath(doomed.id), k.scope.usagePath(doomed.id)},
	})
}

// forgetAliases removes the aliases of a key, some at a time, each as it is
// known to be.
func (k *Keystore) forgetAliases(ctx context.Context, p *proof, doomed *key) error {
	for {
		aliases, _ := k.view.aliasPage(doomed.id, "", maxAliases/2)
		if len(aliases) == 0 {
			return nil
		}
		var t metadata.Txn
		for _, a := range aliases {
			path := k.scope.aliasPath(a.name)
			t.Conditions = append(t.Conditions, metadata.Condition{Key: path, Revision: a.revision})
			t.Deletes = append(t.Deletes, path)
		}
		if err := k.commit(ctx, p, t); err != nil {
			return fmt.Errorf("removing the aliases of %s: %w", doomed.arn, err)
		}
	}
}

// forgetGrants removes the grants of a key.
func (k *Keystore) forgetGrants(ctx context.Context, doomed *key) error {
	for grants := range slices.Chunk(k.view.grantsAfter(doomed.id, ""), metadata.MaxTxnKeys) {
		var t metadata.Txn
		for _, g := range grants {
			t.Deletes = append(t.Deletes, k.scope.grantPath(g.key, g.record.GetGrantId()))
		}
		if _, err := k.store.Commit(ctx, t); err != nil {
			return fmt.Errorf("removing the grants of %s: %w", doomed.arn, err)
		}
	}
	return nil
}

// destruction is what became of one backing key of a deleted key.
type destruction struct {
	id   hsmpool.ObjectID
	done bool
}

// destroyAll destroys all backing keys, also when one of them cannot be. One that
// is missing was destroyed if the deletion had begun before; else nobody knows
// where it is, and the event must not say that it was destroyed.
func (p *proof) destroyAll(ctx context.Context, ids []hsmpool.ObjectID, begun bool) error {
	p.destroyed = make([]destruction, 0, len(ids))
	var errs []error
	var last hsmpool.Trace
	for _, id := range ids {
		missing, err := p.destroy(ctx, id)
		p.destroyed = append(p.destroyed, destruction{id: id, done: err == nil && (begun || !missing)})
		if missing && !begun {
			p.k.log.Error("the material of a key that is deleted was not in the token: is it the right token?",
				"key", p.key.arn, "backing_key_id", id, "request_id", p.request)
		}
		if err != nil {
			errs, last = append(errs, err), p.trace
		}
	}
	if len(errs) == 0 {
		return nil
	}
	p.trace = last // the event is about what failed
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "%d of %d backing keys of %s could not be destroyed; it is tried again.",
		len(errs), len(ids), p.key.arn).because(errors.Join(errs...))
}

// appendDestroyed appends what became of backing keys to an event's
// additionalEventData. As in CloudTrail, the values are JSON in strings.
func appendDestroyed(b []byte, all []destruction) []byte {
	keys, status := []byte{'['}, []byte{'['}
	for i, d := range all {
		if i > 0 {
			keys, status = append(keys, ','), append(status, ',')
		}
		result := "FAILURE"
		if d.done {
			result = "SUCCESS"
		}
		keys = fmt.Appendf(keys, `{"backingKeyId":"%s"}`, d.id)
		status = fmt.Appendf(status, `{"backingKeyId":"%s","deletionStatus":"%s"}`, d.id, result)
	}
	b = appendMember(b, "backingKeys", append(keys, ']'))
	return appendMember(b, "backingKeysDeletionStatus", append(status, ']'))
}
