package keystore

import (
	"encoding/hex"
	"maps"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// KeyFigures are what metrics tell of the keys of all Regions together.
type KeyFigures struct {
	// States is how many keys are in each state, by AWS's names of them; all are there.
	States map[string]int
	// Invocations is the highest share of its AES-GCM invocations that the current material
	// of a key has used up, 0 to 1. Those of a range that is reserved count as used: it is a
	// quarter of a thousandth at most.
	Invocations float64
	// Expiry is when imported material expires next, and Deletion when a key is deleted
	// next; zero: none is to be.
	Expiry, Deletion time.Time
}

// KeyFigures takes less than a millisecond for tens of thousands of keys: too long to be
// asked for each request.
func (r *Regions) KeyFigures() KeyFigures {
	f := KeyFigures{States: map[string]int{}}
	for state := range kmsv1.KeyState_name {
		if state != 0 {
			f.States[describe.WireName(kmsv1.KeyState(state))] = 0
		}
	}
	for _, k := range r.stores {
		groups, highest := k.view.figures()
		for g, n := range groups {
			f.States[describe.WireName(k.stateOf(g))] += n
		}
		f.Invocations = max(f.Invocations, float64(highest)/float64(k.meter.limit))
		if first, _ := k.view.nextExpiry(anyKey); first != nil {
			f.Expiry = earlier(f.Expiry, first.expiry())
		}
		if first, _ := k.view.nextDeletion(anyKey); first != nil {
			f.Deletion = earlier(f.Deletion, first.deletionDate())
		}
	}
	return f
}

func anyKey(*key) bool { return true }

// earlier returns the earlier of two times, of which a may be zero: there is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// stateOf is the state of keys of a group: those of a custom key store that is not connected
// are unavailable.
func (k *Keystore) stateOf(g keyGroup) kmsv1.KeyState {
	if g.store == "" || g.state == pendingDeletion {
		return g.state
	}
	if _, connected := k.connections.Get(g.store); !connected {
		return unavailable
	}
	return g.state
}

// keyGroup is what keys are counted by: the custom key store that has them, and the state in
// their records.
type keyGroup struct {
	store string
	state kmsv1.KeyState
}

// wear is how often a backing key may have been used, by what is reserved; current says that
// it is the one of its key that encrypts.
type wear struct {
	reserved uint64
	current  bool
}

// tally counts keys as they come and go.
type tally struct {
	groups map[keyGroup]int
	worn   map[hsmpool.ObjectID]wear
}

func newTally() tally {
	return tally{groups: map[keyGroup]int{}, worn: map[hsmpool.ObjectID]wear{}}
}

// add counts a key, once more or once less.
func (t *tally) add(k *key, n int) {
	g := keyGroup{k.store(), k.record.GetState()}
	if t.groups[g] += n; t.groups[g] == 0 {
		delete(t.groups, g)
	}
	if id := k.current(); id != (hsmpool.ObjectID{}) {
		t.set(id, wear{t.worn[id].reserved, n > 0})
	}
}

// reserved notes how many invocations of a backing key are reserved.
func (t *tally) reserved(id hsmpool.ObjectID, n uint64) { t.set(id, wear{n, t.worn[id].current}) }

func (t *tally) set(id hsmpool.ObjectID, w wear) {
	if w == (wear{}) {
		delete(t.worn, id)
		return
	}
	t.worn[id] = w
}

// figures returns how many keys there are of each group, and the most invocations that are
// reserved of the current material of any.
func (v *view) figures() (groups map[keyGroup]int, highest uint64) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, w := range v.tally.worn {
		if w.current {
			highest = max(highest, w.reserved)
		}
	}
	return maps.Clone(v.tally.groups), highest
}

// decodeInvocations notes how often a backing key may have been used. A record that cannot
// be read is left to who wants to use the key.
func (v *view) decodeInvocations(e metadata.Event, of string) func(*contents) {
	b, err := hex.DecodeString(of)
	if err != nil || len(b) != len(hsmpool.ObjectID{}) {
		return func(*contents) {}
	}
	id := hsmpool.ObjectID(b)
	r := new(storagev1.InvocationRecord)
	if e.Kind == metadata.Delete || decodeValue(e.Entry.Value, r) != nil {
		return func(c *contents) { c.tally.reserved(id, 0) }
	}
	return func(c *contents) { c.tally.reserved(id, r.GetReserved()) }
}

// invocationsOf is the backing key that a metadata path has the invocations of.
func (s scope) invocationsOf(path string) (id string, found bool) {
	return strings.CutPrefix(path, s.invocations(""))
}
