package keystore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// reloadPause is the pause after which a store that could not be read is tried
// again.
const reloadPause = time.Second

// view is the keys and aliases of the scope in memory, as of one revision of
// the metadata store. follow keeps it fresh.
type view struct {
	scope scope

	mu sync.RWMutex
	contents
	revision uint64
	changed  chan struct{} // closed and replaced at each new revision
	broken   error         // why the view is no longer fresh
}

func newView(s scope) *view {
	return &view{scope: s, contents: newContents(), changed: make(chan struct{})}
}

// load reads everything. A record that cannot be understood stops it: a key
// store that does not know all its keys must not answer.
func (v *view) load(ctx context.Context, store metadata.Store) error {
	entries, revision, err := store.Range(ctx, v.scope.prefix())
	if err != nil {
		return err
	}
	all := newContents()
	for _, e := range entries {
		change, err := v.decode(metadata.Event{Kind: metadata.Put, Entry: e})
		if err != nil {
			return err
		}
		change(&all)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.contents = all
	v.advance(revision)
	return nil
}

// follow applies every change after load until the context ends. What it
// cannot understand, or a broken watch, makes the view unhealthy for good.
func (v *view) follow(ctx context.Context, store metadata.Store, log hclog.Logger) {
	err := v.watch(ctx, store)
	for errors.Is(err, metadata.ErrCompacted) {
		if err = v.reload(ctx, store); err == nil {
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

// reload is load that waits for a store that cannot be read for a while.
func (v *view) reload(ctx context.Context, store metadata.Store) error {
	for {
		err := v.load(ctx, store)
		if !errors.Is(err, metadata.ErrUnavailable) {
			return err
		}
		select {
		case <-time.After(reloadPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// watch applies changes until the store gives none any more.
func (v *view) watch(ctx context.Context, store metadata.Store) error {
	for change, err := range store.Watch(ctx, v.scope.prefix(), v.at()) {
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
	changes := make([]func(*contents), 0, len(c.Events))
	for _, e := range c.Events {
		change, err := v.decode(e)
		if err != nil {
			return err
		}
		changes = append(changes, change)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, change := range changes {
		change(&v.contents)
	}
	v.advance(c.Revision)
	return nil
}

// decode says what an event does to the contents. What is neither a key nor an
// alias nor a grant does nothing.
func (v *view) decode(e metadata.Event) (func(*contents), error) {
	if id, isKey := strings.CutPrefix(e.Entry.Key, v.scope.keyPrefix()); isKey {
		return v.decodeKey(e, id)
	}
	if name, isAlias := strings.CutPrefix(e.Entry.Key, v.scope.prefix()); isAlias && strings.HasPrefix(name, aliasPrefix) {
		return v.decodeAlias(e, name)
	}
	if at, isGrant := strings.CutPrefix(e.Entry.Key, v.scope.grantPrefix()); isGrant {
		return v.decodeGrant(e, at)
	}
	return func(*contents) {}, nil
}

func (v *view) decodeKey(e metadata.Event, id string) (func(*contents), error) {
	if e.Kind == metadata.Delete {
		gone, err := uuid.Parse(id)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Entry.Key, err)
		}
		return func(c *contents) { c.removeKey(gone) }, nil
	}
	k, err := decodeKeyRecord(v.scope, e.Entry)
	if err != nil {
		return nil, err
	}
	return func(c *contents) { c.putKey(k) }, nil
}

func (v *view) decodeAlias(e metadata.Event, name string) (func(*contents), error) {
	if e.Kind == metadata.Delete {
		return func(c *contents) { c.removeAlias(name) }, nil
	}
	a, err := decodeAlias(v.scope, e.Entry)
	if err != nil {
		return nil, err
	}
	return func(c *contents) { c.putAlias(a) }, nil
}

// at is the revision that the view shows.
func (v *view) at() uint64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.revision
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
	return v.keys.values[id]
}

// alias returns an alias, or nil.
func (v *view) alias(name string) *alias {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.aliases.values[name]
}

// aliasesOf counts the aliases of a key.
func (v *view) aliasesOf(id uuid.UUID) int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.named[id])
}

// page returns up to limit keys whose ids come after a given one, and whether
// there are more.
func (v *view) page(after uuid.UUID, limit int) (keys []*key, more bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.keys.page(after, limit)
}

// aliasPage returns up to limit aliases whose names come after a given one, of
// one key unless it is uuid.Nil, and whether there are more.
func (v *view) aliasPage(of uuid.UUID, after string, limit int) (aliases []*alias, more bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if of == uuid.Nil {
		return v.aliases.page(after, limit)
	}
	names, more := pageOf(v.named[of], after, limit, strings.Compare)
	for _, name := range names {
		aliases = append(aliases, v.aliases.values[name])
	}
	return aliases, more
}

// backingKeys maps the id of every backing key to its key.
func (v *view) backingKeys() map[hsmpool.ObjectID]*key {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := make(map[hsmpool.ObjectID]*key, len(v.keys.values))
	for _, k := range v.keys.values {
		for _, id := range k.objects() {
			all[id] = k
		}
	}
	return all
}

// nextDeletion returns the key whose deletion is due first among those that are
// wanted, or nil, and a channel that is closed at the next change.
func (v *view) nextDeletion(wanted func(*key) bool) (first *key, changed <-chan struct{}) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, k := range v.doomed {
		if wanted(k) && (first == nil || k.deletionDate().Before(first.deletionDate())) {
			first = k
		}
	}
	return first, v.changed
}

// healthy is nil while the view is fresh.
func (v *view) healthy() error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.broken
}

func compareIDs(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }
