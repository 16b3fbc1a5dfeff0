package keystore

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	// renewTimeout bounds one renewal of a backing key.
	renewTimeout = time.Minute
	// renewPause is how long a failed renewal is not tried again.
	renewPause = 10 * time.Second
)

// maintain renews worn-out backing keys until the context ends.
func (k *Keystore) maintain(ctx context.Context) {
	pause := map[uuid.UUID]time.Time{}
	for {
		select {
		case worn := <-k.meter.wear:
			if time.Now().Before(pause[worn.id]) {
				continue
			}
			if err := k.renew(ctx, worn.id); err != nil {
				pause[worn.id] = time.Now().Add(renewPause)
				k.log.Error("a worn-out backing key could not be renewed", "key", worn.arn, "error", err)
				continue
			}
			delete(pause, worn.id)
		case <-ctx.Done():
			return
		}
	}
}

// renew gives a key new material when the present one is near the limit of
// its invocations; the old material decrypts what it has encrypted. It leaves
// a RotateKey service event.
func (k *Keystore) renew(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	return k.performService(ctx, id, func(old *key) *chore {
		if old.record.GetState() != enabled || isImported(old) || !k.meter.isWorn(old.current()) {
			return nil // not used any more, not ours to renew, or reported more than once
		}
		r := proto.CloneOf(old.record)
		r.BackingKeys = append(r.BackingKeys, newBackingKey(timestamppb.Now()))
		return &chore{name: rotateKey, material: newestID(r).String(), run: func(ctx context.Context, p *proof) error {
			made, err := k.makeMaterial(ctx, p, r, old.revision)
			if err == nil {
				k.log.Info("a key has new material: the old one has been used as often as it should be", "key", made.arn, "backing_key_id", made.current())
			}
			return err
		}}
	})
}
