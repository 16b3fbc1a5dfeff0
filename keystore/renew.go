package keystore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/proto/describe"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
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
	if err := k.fresh(); err != nil {
		return err
	}
	old := k.view.get(id)
	if old == nil || !k.meter.isWorn(old.current()) {
		return nil // reported more than once
	}
	r := proto.CloneOf(old.record)
	r.BackingKeys = append(r.BackingKeys, newBackingKey(timestamppb.Now()))
	return k.performService(ctx, "RotateKey", old, newIntent("RotateKey", Caller{RequestID: uuid.NewString()}, r), func(p *proof) error {
		made, err := k.makeMaterial(ctx, p, r, old.revision)
		if err == nil {
			k.log.Info("a key has new material: the old one has been used as often as it should be", "key", made.arn, "backing_key_id", made.current())
		}
		return err
	})
}

// performService is perform for what the service does of itself: no caller, an
// intent, the work, a service event.
func (k *Keystore) performService(ctx context.Context, name string, on *key, i *audit.Intent, run func(*proof) error) error {
	if err := k.writeIntent(ctx, i); err != nil {
		return err
	}
	p := newProof(k, i.RequestID)
	p.grant(on)
	failed := k.runService(i, p, run)
	k.leaveOpen(ctx, p, i)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := k.trail.RecordEvent(ctx, k.serviceEvent(name, i, p, failed)); err != nil {
		return fmt.Errorf("recording the %s event: %w", name, err)
	}
	return failed
}

// runService does the work; a panic becomes an error, as in perform.
func (k *Keystore) runService(i *audit.Intent, p *proof, run func(*proof) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = LogPanic(k.log, v, i.EventName, i.RequestID)
		}
	}()
	return run(p)
}

// serviceEvent is the event of something that nobody asked for. It carries the
// intent's request id, which settles the intent.
func (k *Keystore) serviceEvent(name string, i *audit.Intent, p *proof, err error) *audit.APIEvent {
	e := k.internalEvent(name)
	e.RequestID = i.RequestID
	e.Resources = []audit.Resource{{AccountID: k.scope.account, Type: audit.ResourceTypeKey, ARN: i.KeyARN}}
	e.AdditionalEventData = p.additional()
	e.ServiceEventDetails = serviceDetails(i)
	if err != nil {
		failure := AsError(err)
		e.ErrorCode, e.ErrorMessage = describe.ErrorOf(failure.Kind).Name, failure.Message
	}
	return e
}

// serviceDetails names the key and, where somebody had asked, who it was.
func serviceDetails(i *audit.Intent) []byte {
	b := jsonenc.AppendString([]byte(`{"keyId":`), i.KeyARN)
	if i.RequestedBy != "" {
		b = jsonenc.AppendString(append(b, `,"requestedBy":`...), i.RequestedBy)
		b = jsonenc.AppendString(append(b, `,"sourceIPAddress":`...), i.SourceIPAddress)
	}
	return append(b, '}')
}
