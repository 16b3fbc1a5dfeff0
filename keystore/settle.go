package keystore

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// What the events say of requests that were cut off.
const (
	tookEffect = "The request was cut off before its answer; it had taken effect."
	noEffect   = "The request was cut off; nothing was changed."
	storeGone  = "The request was cut off; the custom key store in which it may have left key material is gone."
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
		subject := cmp.Or(i.KeyARN, i.ResourceARN)
		k := r.of(subject)
		if k == nil {
			k = r.Default() // has what is of no Region, and refuses the rest
		}
		err := k.settleOne(ctx, &i)
		if waitsForHSM(err) {
			k.postpone(&i, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("request %s (%s of %s): %w", i.RequestID, i.EventName, subject, err)
		}
	}
	return nil
}

// postpone leaves a change that cannot be settled without its HSM to the settler. Until
// then nobody else changes its key. A key in a custom key store can be changed: what is
// left there is what was made, which nobody can name, and such a store may be away for
// good.
func (k *Keystore) postpone(i *audit.Intent, why error) {
	var held *change
	if id, err := k.keyOf(i); err == nil && i.CustomKeyStoreID == "" {
		held = k.changes.park(k.scope.keyPath(id), i.BackingKeyID)
	}
	k.settler.add(i, held)
	k.log.Warn("a request that was cut off is settled when its HSM is available", "operation", i.EventName,
		"of", cmp.Or(i.KeyARN, i.ResourceARN), "request_id", i.RequestID, "error", why)
}

func (k *Keystore) settleOne(ctx context.Context, i *audit.Intent) error {
	p := newProof(k, i.RequestID)
	message, err := k.outcome(ctx, p, i)
	if err != nil {
		return err
	}
	k.log.Warn("a request that was cut off has been settled", "operation", i.EventName, "of", cmp.Or(i.KeyARN, i.ResourceARN),
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

// outcome finds out what had become of a request that was cut off, and destroys
// key material that it left behind.
func (k *Keystore) outcome(ctx context.Context, p *proof, i *audit.Intent) (string, error) {
	if i.ResourceARN != "" {
		return k.resourceOutcome(ctx, p, i)
	}
	keyID, err := k.keyOf(i)
	if err != nil {
		return "", err
	}
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

// keyOf returns the id of the key that an intent is about.
func (k *Keystore) keyOf(i *audit.Intent) (uuid.UUID, error) {
	id, err := uuid.Parse(i.KeyARN[strings.LastIndexByte(i.KeyARN, '/')+1:])
	if err != nil {
		return uuid.Nil, fmt.Errorf("the intent names no key: %w", err)
	}
	if i.KeyARN != k.scope.keyARN(id) {
		return uuid.Nil, k.errOtherScope()
	}
	return id, nil
}

func (k *Keystore) errOtherScope() error {
	return fmt.Errorf("the intent is of another account or Region than the configuration has (account %s; %s); start once with those of the intent",
		k.scope.account, strings.Join(k.regions.Names(), ", "))
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
	case removesMaterial(i.EventName) && !isDestroyed(record, id):
		return noEffect, nil
	case !removesMaterial(i.EventName) && hasObject(record, id):
		return tookEffect, nil
	}
	if i.CustomKeyStoreID != "" && k.view.customStore(i.CustomKeyStoreID) == nil {
		return storeGone, nil
	}
	if err := k.available(i.CustomKeyStoreID); err != nil {
		return "", err
	}
	p.grant(nil)
	p.store = i.CustomKeyStoreID
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

// changeable is a record that says which request has changed it last.
type changeable interface {
	proto.Message
	GetChangedBy() string
}

// resourceOutcome is the outcome of a request that was to make, change or remove
// what is no key and no alias. A key that seals a secret of it goes with it.
func (k *Keystore) resourceOutcome(ctx context.Context, p *proof, i *audit.Intent) (string, error) {
	path, record, err := k.recordOf(i.ResourceARN)
	if err != nil {
		return "", err
	}
	exists, err := k.stored(ctx, path, record)
	switch {
	case err != nil:
		return "", err
	case exists && record.GetChangedBy() == i.RequestID:
		return tookEffect, nil
	case exists:
		return noEffect, nil
	}
	outcome := noEffect
	if i.BackingKeyID != "" {
		if err := k.destroySealing(ctx, p, i.BackingKeyID); err != nil {
			return "", err
		}
		outcome = undone
	}
	if strings.HasPrefix(i.EventName, "Delete") {
		outcome = tookEffect
	}
	return outcome, nil
}

// destroySealing destroys a key that seals nothing any more. That of the account
// may have come into use by a later request, since its record says so.
func (k *Keystore) destroySealing(ctx context.Context, p *proof, backingKey string) error {
	id, err := parseObjectID(backingKey)
	if err != nil {
		return err
	}
	used := new(storagev1.SealingKeyRecord)
	if _, err := k.stored(ctx, k.scope.sealingKeyPath(), used); err != nil || string(used.GetId()) == string(id[:]) {
		return err
	}
	if err := k.available(""); err != nil {
		return err
	}
	p.grant(nil)
	if _, err := p.destroy(ctx, id); err != nil {
		return fmt.Errorf("destroying the key %s: %w", id, err)
	}
	return nil
}

// recordOf returns where what an ARN names stands in the metadata, and an empty
// record of its type.
func (k *Keystore) recordOf(arn string) (path string, record changeable, err error) {
	switch {
	case strings.HasPrefix(arn, k.scope.storeARN("")):
		return k.scope.storePath(strings.TrimPrefix(arn, k.scope.storeARN(""))), new(storagev1.CustomKeyStoreRecord), nil
	case strings.HasPrefix(arn, k.scope.policyARN("")):
		return k.scope.policyPath(strings.TrimPrefix(arn, k.scope.policyARN(""))), new(storagev1.PolicyRecord), nil
	case strings.HasPrefix(arn, k.scope.accessKeyARN("")):
		return k.scope.accessKeyPath(strings.TrimPrefix(arn, k.scope.accessKeyARN(""))), new(storagev1.AccessKeyRecord), nil
	case strings.HasPrefix(arn, k.scope.auditKeyARN("")):
		return k.scope.auditKeyPath(strings.TrimPrefix(arn, k.scope.auditKeyARN(""))), new(storagev1.AuditKeyRecord), nil
	case strings.HasPrefix(arn, "arn:aws:kms:"), isAccessKey(arn), isAuditKey(arn):
		return "", nil, k.errOtherScope()
	default:
		return k.scope.principalPath(arn), new(storagev1.PrincipalRecord), nil
	}
}

func parseObjectID(s string) (hsmpool.ObjectID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(hsmpool.ObjectID{}) {
		return hsmpool.ObjectID{}, fmt.Errorf("%q is not the id of a backing key", s)
	}
	return hsmpool.ObjectID(b), nil
}
