package keystore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// view is the keys and aliases of the scope in memory.
type view struct {
	scope scope
	*mirror[contents]
	contents // guarded by the mirror's lock
}

func newView(s scope) *view {
	v := &view{scope: s, contents: newContents()}
	v.mirror = &mirror[contents]{prefix: s.prefix(), empty: newContents, decode: v.decode, shown: &v.contents, changed: make(chan struct{})}
	return v
}

// decode says what an event does to the contents. What is neither a key nor an
// alias nor a grant nor a custom key store nor a count of invocations does nothing.
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
	if strings.HasPrefix(e.Entry.Key, v.scope.storePrefix()) {
		return v.decodeStore(e)
	}
	if id, counts := v.scope.invocationsOf(e.Entry.Key); counts {
		return v.decodeInvocations(e, id), nil
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

// material is an object that a token should have, as the metadata knows it.
type material struct {
	arn     string // of its key, or of the custom key store whose password it seals; or the sealing key's
	store   string // the custom key store whose HSM has it; "" is the default one
	current bool   // it encrypts, and not only decrypts
	going   bool   // the deletion of its key has begun
}

// materials maps the id of every object that a token should have to what it is.
func (v *view) materials() map[hsmpool.ObjectID]material {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := make(map[hsmpool.ObjectID]material, len(v.keys.values))
	for _, k := range v.keys.values {
		for _, id := range k.objects() {
			all[id] = material{arn: k.arn, store: k.store(), current: id == k.current(), going: k.record.DeletionStarted != nil}
		}
	}
	for _, s := range v.stores.values {
		all[s.sealing] = material{arn: s.arn, current: true}
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

func compareIDs(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }
