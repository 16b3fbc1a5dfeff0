package keystore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// view is the keys of the scope in memory, as of one revision of the metadata
// store. follow keeps it fresh.
type view struct {
	scope scope

	mu       sync.RWMutex
	keys     map[uuid.UUID]*key
	ids      []uuid.UUID // sorted
	revision uint64
	changed  chan struct{} // closed and replaced at each new revision
	broken   error         // why the view is no longer fresh
}

func newView(s scope) *view {
	return &view{scope: s, keys: map[uuid.UUID]*key{}, changed: make(chan struct{})}
}

// load reads all keys. A record that cannot be understood stops it: a key
// store that does not know all its keys must not answer.
func (v *view) load(ctx context.Context, store metadata.Store) error {
	entries, revision, err := store.Range(ctx, v.scope.keyPrefix())
	if err != nil {
		return err
	}
	keys := make(map[uuid.UUID]*key, len(entries))
	for _, e := range entries {
		k, err := decodeEntry(v.scope, e)
		if err != nil {
			return err
		}
		keys[k.id] = k
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys, v.ids = keys, slices.SortedFunc(maps.Keys(keys), compareIDs)
	v.advance(revision)
	return nil
}

// follow applies every change after load until the context ends. What it
// cannot understand, or a broken watch, makes the view unhealthy for good.
func (v *view) follow(ctx context.Context, store metadata.Store, log hclog.Logger) {
	err := v.watch(ctx, store)
	for errors.Is(err, metadata.ErrCompacted) {
		if err = v.load(ctx, store); err == nil {
			err = v.watch(ctx, store)
		}
	}
	if ctx.Err() != nil {
		err = errors.New("the key store is closed")
	} else {
		log.Error("changes of the metadata are no longer seen; restart the server", "error", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.broken = err
	v.announce()
}

// watch applies changes until the store gives none any more.
func (v *view) watch(ctx context.Context, store metadata.Store) error {
	for change, err := range store.Watch(ctx, v.scope.keyPrefix(), v.at()) {
		if err != nil {
			return err
		}
		if err := v.apply(change); err != nil {
			return err
		}
	}
	return errors.New("the watch ended")
}

// apply takes in what one commit did, all of it or nothing.
func (v *view) apply(c metadata.Change) error {
	puts := make([]*key, 0, len(c.Events))
	var gone []uuid.UUID
	for _, e := range c.Events {
		if e.Kind == metadata.Delete {
			id, err := uuid.Parse(strings.TrimPrefix(e.Entry.Key, v.scope.keyPrefix()))
			if err != nil {
				return fmt.Errorf("%s: %w", e.Entry.Key, err)
			}
			gone = append(gone, id)
			continue
		}
		k, err := decodeEntry(v.scope, e.Entry)
		if err != nil {
			return err
		}
		puts = append(puts, k)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range puts {
		v.put(k)
	}
	for _, id := range gone {
		v.remove(id)
	}
	v.advance(c.Revision)
	return nil
}

// at is the revision that the view shows.
func (v *view) at() uint64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.revision
}

func (v *view) put(k *key) {
	if i, found := slices.BinarySearchFunc(v.ids, k.id, compareIDs); !found {
		v.ids = slices.Insert(v.ids, i, k.id)
	}
	v.keys[k.id] = k
}

func (v *view) remove(id uuid.UUID) {
	if i, found := slices.BinarySearchFunc(v.ids, id, compareIDs); found {
		v.ids = slices.Delete(v.ids, i, i+1)
	}
	delete(v.keys, id)
}

// advance says that the view shows a revision.
func (v *view) advance(revision uint64) {
	v.revision = max(v.revision, revision)
	v.announce()
}

// announce wakes those who wait for a revision.
func (v *view) announce() {
	close(v.changed)
	v.changed = make(chan struct{})
}

// reach waits until the view has seen a revision, so that a caller finds what
// it has just been answered.
func (v *view) reach(ctx context.Context, revision uint64) error {
	for {
		v.mu.RLock()
		seen, changed, broken := v.revision >= revision, v.changed, v.broken
		v.mu.RUnlock()
		switch {
		case seen:
			return nil
		case broken != nil:
			return broken
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// get returns a key, or nil.
func (v *view) get(id uuid.UUID) *key {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.keys[id]
}

// page returns up to limit keys whose ids come after a given one, and whether
// there are more.
func (v *view) page(after uuid.UUID, limit int) (keys []*key, more bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	i, found := slices.BinarySearchFunc(v.ids, after, compareIDs)
	if found {
		i++
	}
	end := min(i+limit, len(v.ids))
	for _, id := range v.ids[i:end] {
		keys = append(keys, v.keys[id])
	}
	return keys, end < len(v.ids)
}

// backingKeys counts the backing keys of all keys.
func (v *view) backingKeys() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	n := 0
	for _, k := range v.keys {
		n += len(k.backing)
	}
	return n
}

// healthy is nil while the view is fresh.
func (v *view) healthy() error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.broken
}

func compareIDs(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }
