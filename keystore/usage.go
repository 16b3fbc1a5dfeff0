package keystore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

const (
	// usageInterval is how long the last uses of keys are kept in memory alone.
	usageInterval = 30 * time.Second
	// usageTail is how many events are read at a start, since the uses that they
	// tell of may not have been written.
	usageTail = 50_000
	// usageBatch is how many uses are written at once: each has a condition.
	usageBatch = metadata.MaxTxnKeys / 2
)

// usage knows the last use of each key. Uses are noted in memory, which costs a
// request next to nothing, and written some time later.
type usage struct {
	scope   scope
	store   metadata.Store
	tracked map[string]kmsv1.KeyLastUsageTrackingOperation

	mu      sync.Mutex
	noted   map[uuid.UUID]use // not written yet
	writing map[uuid.UUID]use // being written
}

// use is one use of a key.
type use struct {
	operation          kmsv1.KeyLastUsageTrackingOperation
	time               time.Time
	eventID, requestID string
}

func newUsage(s scope, store metadata.Store) *usage {
	return &usage{scope: s, store: store, tracked: trackedOperations(), noted: map[uuid.UUID]use{}}
}

// used notes that a request has used its keys, once its event is durable.
func (r *request) used(e *audit.APIEvent) {
	operation, tracked := r.k.usage.tracked[r.method.Name]
	if !tracked {
		return
	}
	for _, t := range r.targets {
		if t.key != nil {
			r.k.usage.note(t.key.id, use{operation, e.EventTime, e.EventID, e.RequestID})
		}
	}
}

// note notes a use of a key, unless a later one is noted.
func (u *usage) note(id uuid.UUID, n use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if n.time.After(u.noted[id].time) {
		u.noted[id] = n
	}
}

// last is the last use of a key, or nil.
func (u *usage) last(ctx context.Context, id uuid.UUID) (*storagev1.UsageRecord, error) {
	u.mu.Lock()
	n, found := u.noted[id]
	if !found {
		n, found = u.writing[id]
	}
	u.mu.Unlock()
	if found {
		return n.record(), nil
	}
	return u.written(ctx, id)
}

// written is the last use of a key that was written, or nil.
func (u *usage) written(ctx context.Context, id uuid.UUID) (*storagev1.UsageRecord, error) {
	r := new(storagev1.UsageRecord)
	revision, err := readValue(ctx, u.store, u.scope.usagePath(id), r)
	if err != nil || revision == 0 {
		return nil, err
	}
	return r, nil
}

func (n use) record() *storagev1.UsageRecord {
	return &storagev1.UsageRecord{Operation: n.operation.Enum(), Time: timestamppb.New(n.time), EventId: &n.eventID, RequestId: &n.requestID}
}

// trackUsage writes the last uses of keys from time to time until the context
// ends.
func (k *Keystore) trackUsage(ctx context.Context) {
	if err := k.startTracking(ctx); err != nil && ctx.Err() == nil {
		k.log.Warn("the last uses of keys before this start may not all be known", "error", err)
	}
	ticker := time.NewTicker(usageInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := k.usage.write(ctx); err != nil && ctx.Err() == nil {
				k.log.Warn("the last uses of keys could not be written; it is tried again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// startTracking reads the uses again that were not written before a crash.
func (k *Keystore) startTracking(ctx context.Context) error {
	if _, err := k.trackedSince(ctx); err != nil {
		return err
	}
	uses := map[uuid.UUID]use{}
	for e, err := range k.trail.Events(ctx, audit.Query{Last: usageTail}) {
		if err != nil {
			return fmt.Errorf("reading the newest events: %w", err)
		}
		if err := k.usage.read(e.JSON, uses); err != nil {
			return fmt.Errorf("reading event %d: %w", e.Seq, err)
		}
	}
	for id, n := range uses {
		r, err := k.usage.written(ctx, id)
		if err != nil {
			return err
		}
		// The time in an event has no fractions of a second.
		if r.GetEventId() != n.eventID && !n.time.Before(r.GetTime().AsTime().Truncate(time.Second)) {
			k.usage.note(id, n)
		}
	}
	return nil
}

// read puts the uses that an event tells of among others, which are older.
func (u *usage) read(event []byte, uses map[uuid.UUID]use) error {
	var e struct {
		EventTime                                time.Time
		EventName, EventID, RequestID, ErrorCode string
		Resources                                []struct{ ARN string }
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return err
	}
	operation, tracked := u.tracked[e.EventName]
	if !tracked || e.ErrorCode != "" {
		return nil
	}
	for _, r := range e.Resources {
		if ref, err := u.scope.parseReference(r.ARN); err == nil && ref.alias == "" {
			uses[ref.key] = use{operation, e.EventTime, e.EventID, e.RequestID}
		}
	}
	return nil
}

// write writes what was noted. What cannot be written stays noted.
func (u *usage) write(ctx context.Context) error {
	u.mu.Lock()
	u.writing, u.noted = u.noted, map[uuid.UUID]use{}
	batch := u.writing
	u.mu.Unlock()
	var errs []error
	for ids := range slices.Chunk(slices.Collect(maps.Keys(batch)), usageBatch) {
		err := u.writeSome(ctx, ids, batch)
		for tries := 1; errors.Is(err, metadata.ErrConflict) && tries < reserveTries; tries++ {
			err = u.writeSome(ctx, ids, batch) // a key was changed meanwhile
		}
		if err != nil {
			errs = append(errs, err)
			for _, id := range ids {
				u.note(id, batch[id])
			}
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.writing = nil
	return errors.Join(errs...)
}

// writeSome writes the uses of some keys, together or not at all. A key that is
// deleted meanwhile must not leave a use behind.
func (u *usage) writeSome(ctx context.Context, ids []uuid.UUID, batch map[uuid.UUID]use) error {
	var t metadata.Txn
	for _, id := range ids {
		of, err := u.store.Get(ctx, u.scope.keyPath(id))
		if errors.Is(err, metadata.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the key %s: %w", id, err)
		}
		value, err := encodeValue(batch[id].record())
		if err != nil {
			return err
		}
		t.Conditions = append(t.Conditions, metadata.Condition{Key: of.Key, Revision: of.Revision})
		t.Puts = append(t.Puts, metadata.KeyValue{Key: u.scope.usagePath(id), Value: value})
	}
	if len(t.Puts) == 0 {
		return nil
	}
	if _, err := u.store.Commit(ctx, t); err != nil {
		return fmt.Errorf("writing the last uses of %d keys: %w", len(t.Puts), err)
	}
	return nil
}
