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
)

// settle ends what a crash cut off: every intent whose request has no event.
// Key material that the metadata knows was made; any other is destroyed, since
// nobody was told of it. Each leaves an event under the request's id.
func (k *Keystore) settle(ctx context.Context) error {
	for _, i := range k.trail.UnsettledIntents() {
		if err := k.settleOne(ctx, &i); err != nil {
			return fmt.Errorf("request %s (%s of %s): %w", i.RequestID, i.EventName, i.KeyARN, err)
		}
	}
	return nil
}

func (k *Keystore) settleOne(ctx context.Context, i *audit.Intent) error {
	id, err := parseObjectID(i.BackingKeyID)
	if err != nil {
		return err
	}
	keyID, err := uuid.Parse(i.KeyARN[strings.LastIndexByte(i.KeyARN, '/')+1:])
	if err != nil {
		return fmt.Errorf("the intent names no key: %w", err)
	}
	if i.KeyARN != k.scope.keyARN(keyID) {
		return fmt.Errorf("the intent is of another account or Region than %s; start once with those of the intent", k.scope.arn(""))
	}
	p := newProof(k, i.RequestID)
	p.grant(k.view.get(keyID))
	outcome := errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The service stopped during the request; its key material was destroyed.")
	if p.key != nil && p.key.has(id) {
		outcome = errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The service stopped before it could answer; the request had taken effect.")
	} else if err := p.destroy(ctx, id); err != nil {
		return fmt.Errorf("destroying the key material %s: %w", id, err)
	}
	k.log.Warn("a request that was cut off has been settled", "operation", i.EventName, "key", i.KeyARN,
		"request_id", i.RequestID, "outcome", outcome.Message)
	if err := k.trail.RecordEvent(ctx, k.serviceEvent(i.EventName, i, p, outcome)); err != nil {
		return fmt.Errorf("recording the event: %w", err)
	}
	return nil
}

func parseObjectID(s string) (hsmpool.ObjectID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(hsmpool.ObjectID{}) {
		return hsmpool.ObjectID{}, fmt.Errorf("%q is not the id of a backing key", s)
	}
	return hsmpool.ObjectID(b), nil
}
