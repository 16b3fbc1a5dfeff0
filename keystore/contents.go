package keystore

import (
	"slices"
	"strings"

	"github.com/google/uuid"
)

// contents is what a view shows.
type contents struct {
	keys    index[uuid.UUID, *key]
	aliases index[string, *alias]
	// stores are the custom key stores.
	stores index[string, *customStore]
	// named are the names of the aliases of each key that has any, sorted.
	named map[uuid.UUID][]string
	// grants are the grants of each key that has any.
	grants map[uuid.UUID]*keyGrants
	// expiring are the keys with imported material that expires.
	expiring map[uuid.UUID]*key
	// doomed are the keys that are to be deleted.
	doomed    map[uuid.UUID]*key
	rotations rotations
	tally     tally
}

func newContents() contents {
	return contents{
		keys: newIndex[uuid.UUID, *key](compareIDs), aliases: newIndex[string, *alias](strings.Compare), stores: newIndex[string, *customStore](strings.Compare),
		named: map[uuid.UUID][]string{}, grants: map[uuid.UUID]*keyGrants{}, doomed: map[uuid.UUID]*key{}, expiring: map[uuid.UUID]*key{},
		rotations: newRotations(), tally: newTally(),
	}
}

func (c *contents) putKey(k *key) {
	if old := c.keys.values[k.id]; old != nil {
		c.tally.add(old, -1)
	}
	c.tally.add(k, 1)
	c.keys.put(k.id, k)
	c.rotations.put(k)
	delete(c.doomed, k.id)
	delete(c.expiring, k.id)
	if place, _ := k.expires(); place >= 0 {
		c.expiring[k.id] = k
	}
	if k.pendingDeletion() {
		c.doomed[k.id] = k
	}
}

func (c *contents) removeKey(id uuid.UUID) {
	if old := c.keys.values[id]; old != nil {
		c.tally.add(old, -1)
	}
	c.keys.remove(id)
	delete(c.doomed, id)
	delete(c.expiring, id)
	c.rotations.remove(id)
}

func (c *contents) putAlias(a *alias) {
	c.removeAlias(a.name)
	c.aliases.put(a.name, a)
	names := c.named[a.target]
	i, _ := slices.BinarySearch(names, a.name)
	c.named[a.target] = slices.Insert(names, i, a.name)
}

func (c *contents) removeAlias(name string) {
	a, found := c.aliases.values[name]
	if !found {
		return
	}
	c.aliases.remove(name)
	names := slices.DeleteFunc(c.named[a.target], func(n string) bool { return n == name })
	if len(names) > 0 {
		c.named[a.target] = names
	} else {
		delete(c.named, a.target)
	}
}
