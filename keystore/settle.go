package keystore

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// What the events say of requests that were cut off.
const (
	tookEffect = "The request was cut off before its answer; it had taken effect."
	noEffect   = "The request was cut off; nothing was changed."
	undone     = "The request was cut off; its key material was destroyed."
	goesOn     = "The deletion was cut off; it goes on."
	completed  = "" // a deletion, which needs no answer, was done
)

// settle ends what a crash cut off: every intent whose request has no event.
// Token and metadata tell what had been done. Key material that the metadata
// does not know is destroyed, since nobody was told of it. Each leaves an event
// under the request's id, in the Region of its key.
func (r *Regions) settle(ctx context.Context) error {
	for _, i := range r.Default().trail.UnsettledIntents() {
		k := r.of(i.KeyARN)
		if k == nil {
			k = r.Default() // refuses it
		}
		if err := k.settleOne(ctx, &i); err != nil {
			return fmt.Errorf("request %s (%s of %s): %w", i.RequestID, i.EventName, i.KeyARN, err)
		}
	}
	return nil
}

func (k *Keystore) settleOne(ctx context.Context, i *audit.Intent) error {
	keyID, err := k.keyOf(i)
	if err != nil {
		return err
	}
	p := newProof(k, i.RequestID)
	message, err := k.outcome(ctx, p, i, keyID)
	if err != nil {
		return err
	}
	k.log.Warn("a request that was cut off has been settled", "operation", i.EventName, "key", i.KeyARN,
		"request_id", i.RequestID, "outcome", message)
	var failure error
	if message != completed {
		failure = errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "%s", message)
	}
	if err := k.trail.RecordEvent(ctx, k.serviceEvent(i.EventName, i, p, failure)); err != nil {
		return fmt.Errorf("recording the event: %w", err)
	}
	return nil
}

// keyOf returns the id of the key that an intent is about.
func (k *Keystore) keyOf(i *audit.Intent) (uuid.UUID, error) {
	id, err := uuid.Parse(i.KeyARN[strings.LastIndexByte(i.KeyARN, '/')+1:])
	if err != nil {
		return uuid.Nil, fmt.Errorf("the intent names no key: %w", err)
	}
	if i.KeyARN != k.scope.keyARN(id) {
		return uuid.Nil, fmt.Errorf("the intent is of another account or Region than the configuration has (account %s; %s); start once with those of the intent",
			k.scope.account, strings.Join(k.regions.Names(), ", "))
	}
	return id, nil
}

// outcome finds out what had become of a request that was cut off, and destroys
// key material that it left behind.
func (k *Keystore) outcome(ctx context.Context, p *proof, i *audit.Intent, keyID uuid.UUID) (string, error) {
	record := new(storagev1.KeyRecord)
	exists, err := k.stored(ctx, k.scope.keyPath(keyID), record)
	if err != nil {
		return "", err
	}
	switch {
	case i.BackingKeyID != "":
		return k.materialOutcome(ctx, p, i, record)
	case i.AliasName != "":
		return k.aliasOutcome(ctx, i)
	case i.EventName == deleteKey && exists:
		return goesOn, nil
	case i.EventName == deleteKey:
		return completed, nil
	case record.GetChangedBy() == i.RequestID:
		return tookEffect, nil
	}
	return noEffect, nil
}

// materialOutcome is the outcome of a request that was to make key material, or to
// destroy imported material, which the record does not have any more.
func (k *Keystore) materialOutcome(ctx context.Context, p *proof, i *audit.Intent, record *storagev1.KeyRecord) (string, error) {
	id, err := parseObjectID(i.BackingKeyID)
	if err != nil {
		return "", err
	}
	changed := record.GetChangedBy() == i.RequestID
	switch {
	case removesMaterial(i.EventName) && !changed:
		return noEffect, nil
	case !removesMaterial(i.EventName) && hasObject(record, id):
		return tookEffect, nil
	}
	p.grant(nil)
	if _, err := p.destroy(ctx, id); err != nil {
		return "", fmt.Errorf("destroying the key material %s: %w", id, err)
	}
	if changed {
		return tookEffect, nil
	}
	return undone, nil
}

// aliasOutcome is the outcome of a request that was to change an alias. While
// it was under way nobody else could change it.
func (k *Keystore) aliasOutcome(ctx context.Context, i *audit.Intent) (string, error) {
	record := new(storagev1.AliasRecord)
	exists, err := k.stored(ctx, k.scope.aliasPath(i.AliasName), record)
	switch {
	case err != nil:
		return "", err
	case i.EventName == "DeleteAlias" && !exists, exists && record.GetChangedBy() == i.RequestID:
		return tookEffect, nil
	}
	return noEffect, nil
}

func parseObjectID(s string) (hsmpool.ObjectID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(hsmpool.ObjectID{}) {
		return hsmpool.ObjectID{}, fmt.Errorf("%q is not the id of a backing key", s)
	}
	return hsmpool.ObjectID(b), nil
}
