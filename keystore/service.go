package keystore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/proto/describe"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
)

// The events of what the service does of itself, named as CloudTrail names
// them.
const (
	rotateKey = "RotateKey"
	deleteKey = "DeleteKey"

	deleteExpired = "DeleteExpiredKeyMaterial"
)

// chore is what the service is about to do to a key of itself.
type chore struct {
	name     string // of the event
	material string // the id of the backing key that it makes; empty: none
	details  []byte // serviceEventDetails of what was done; nil: the key alone
	run      func(context.Context, *proof) error
}

// performService is perform for what the service does of itself: no caller, an
// intent, the work, a service event. decide is asked when nobody else changes
// the key; it answers nil when there is nothing to do.
func (k *Keystore) performService(ctx context.Context, id uuid.UUID, decide func(*key) *chore) error {
	held, err := k.holdKey(ctx, id)
	if err != nil {
		return err
	}
	if err := k.fresh(); err != nil {
		held.end()
		return err
	}
	key, c := k.view.get(id), (*chore)(nil)
	if key != nil {
		c = decide(key)
	}
	if c == nil {
		held.end()
		return nil
	}
	return k.do(ctx, key, c, held)
}

// errHeld says that others are changing a key, so that nothing was tried.
var errHeld = errors.New("others are changing the key")

// holdPatience is how long the service waits for others to end a change.
const holdPatience = time.Second

func (k *Keystore) holdKey(ctx context.Context, id uuid.UUID) (*change, error) {
	ctx, cancel := context.WithTimeout(ctx, holdPatience)
	defer cancel()
	held, err := k.changes.begin(ctx, k.scope.keyPath(id))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHeld, err)
	}
	return held, nil
}

// do does what was decided and gives back what is held when its event
// is durable.
func (k *Keystore) do(ctx context.Context, on *key, c *chore, held *change) error {
	return k.announceAndDo(ctx, audit.Intent{KeyARN: on.arn, CustomKeyStoreID: on.store()}, on, c, held)
}

// announceAndDo is do for what may be about no key: the intent says what it is about.
func (k *Keystore) announceAndDo(ctx context.Context, about audit.Intent, on *key, c *chore, held *change) error {
	i := &about
	i.Time, i.RequestID, i.EventName, i.BackingKeyID = time.Now(), uuid.NewString(), c.name, c.material
	held.makes(c.material)
	if err := k.writeIntent(ctx, i); err != nil {
		k.settler.add(i, held)
		return err
	}
	p := newProof(k, i.RequestID)
	p.grantKey(on)
	failed := k.runRecovered(ctx, p, c)
	k.leaveOpen(ctx, p, i)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	e := k.serviceEvent(c.name, i, p, failed)
	if failed == nil && c.details != nil {
		e.ServiceEventDetails = c.details
	}
	if err := k.trail.RecordEvent(ctx, e); err != nil {
		k.settler.add(i, held)
		return fmt.Errorf("recording the %s event: %w", c.name, err)
	}
	held.end()
	return failed
}

// runRecovered does the work; a panic becomes an error, as in perform.
func (k *Keystore) runRecovered(ctx context.Context, p *proof, c *chore) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = LogPanic(k.log, v, c.name, p.request)
		}
	}()
	return c.run(ctx, p)
}

// serviceEvent is the event of something that nobody asked for. It carries the
// intent's request id, which settles the intent.
func (k *Keystore) serviceEvent(name string, i *audit.Intent, p *proof, err error) *audit.APIEvent {
	e := k.internalEvent(name)
	e.RequestID = i.RequestID
	if i.AliasName != "" {
		e.Resources = append(e.Resources, k.resource(k.scope.arn(i.AliasName)))
	}
	if i.KeyARN != "" {
		e.Resources = append(e.Resources, k.resource(i.KeyARN))
	}
	e.AdditionalEventData = p.additional()
	e.MetadataRevision = p.revision
	e.ServiceEventDetails = serviceDetails(i)
	if err != nil {
		failure := AsError(err)
		e.ErrorCode, e.ErrorMessage = describe.ErrorOf(failure.Kind).Name, failure.Message
	}
	return e
}

// serviceDetails names the key, or what else was changed, and, where somebody had
// asked, who it was.
func serviceDetails(i *audit.Intent) []byte {
	name := `{"keyId":`
	if i.ResourceARN != "" {
		name = `{"resourceArn":`
	}
	b := jsonenc.AppendString([]byte(name), cmp.Or(i.ResourceARN, i.KeyARN))
	if i.RequestedBy != "" {
		b = jsonenc.AppendString(append(b, `,"requestedBy":`...), i.RequestedBy)
		b = jsonenc.AppendString(append(b, `,"sourceIPAddress":`...), i.SourceIPAddress)
	}
	return append(b, '}')
}
