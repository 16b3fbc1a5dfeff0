package metadatatest

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// model is what a store should hold under one prefix. It is the simplest thing
// that keeps the contract for one caller.
type model struct {
	prefix   string
	entries  map[string]metadata.Entry
	start    uint64
	revision uint64
	log      []metadata.Change
}

// testModel makes random transactions on the store and on a model of it, and
// expects the same outcome of each, the same contents, and the same changes. Every
// round has a prefix of its own, so that rapid can repeat and shorten it.
func testModel(t *testing.T, k kit) {
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		rounds++
		prefix := scope + "round/" + strconv.Itoa(rounds) + "/"
		_, start, err := k.store.Range(k.ctx, prefix)
		if err != nil {
			rt.Fatal(err)
		}
		m := &model{prefix: prefix, entries: make(map[string]metadata.Entry), start: start, revision: start}
		for _, txn := range rapid.SliceOfN(txns(prefix), 0, 6).Draw(rt, "txns") {
			m.step(rt, k, txn)
		}
		m.compare(rt, k)
	})
}

// compare expects the store to hold what the model holds.
func (m *model) compare(t *rapid.T, k kit) {
	want := slices.SortedFunc(maps.Values(m.entries), func(a, b metadata.Entry) int {
		return strings.Compare(a.Key, b.Key)
	})
	got, revision, err := k.store.Range(k.ctx, m.prefix)
	if diff := cmp.Diff(want, got); diff != "" || revision != m.revision || err != nil {
		t.Errorf("Range: revision %d, %v, want %d (-want +got):\n%s", revision, err, m.revision, diff)
	}
	changes, err := k.watch(k.ctx, m.prefix, m.start, len(m.log))
	if diff := cmp.Diff(m.log, changes); diff != "" || err != nil {
		t.Errorf("Watch: %v (-want +got):\n%s", err, diff)
	}
}

// step commits a transaction whose conditions, drawn as small numbers, are made to
// hold or not to hold.
func (m *model) step(t *rapid.T, k kit, txn metadata.Txn) {
	conflict := false
	for i := range txn.Conditions {
		c := &txn.Conditions[i]
		wrong := c.Revision == 0
		c.Revision = m.entries[c.Key].Revision
		if wrong {
			c.Revision++
			conflict = true
		}
	}
	revision, err := k.store.Commit(k.ctx, txn)
	if conflict {
		if !errors.Is(err, metadata.ErrConflict) {
			t.Fatalf("Commit(%+v): %v, want ErrConflict", txn, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("Commit(%+v): %v", txn, err)
	}
	m.apply(t, txn, revision)
}

// apply does to the model what a successful Commit says it did.
func (m *model) apply(t *rapid.T, txn metadata.Txn, revision uint64) {
	c := metadata.Change{Revision: revision}
	for _, key := range txn.Deletes {
		if _, ok := m.entries[key]; ok {
			delete(m.entries, key)
			e := metadata.Entry{Key: key, Revision: revision}
			c.Events = append(c.Events, metadata.Event{Kind: metadata.Delete, Entry: e})
		}
	}
	for _, p := range txn.Puts {
		e := metadata.Entry{Key: p.Key, Value: p.Value, Revision: revision}
		m.entries[p.Key] = e
		c.Events = append(c.Events, metadata.Event{Kind: metadata.Put, Entry: e})
	}
	if moved := revision > m.revision; moved != (len(c.Events) > 0) {
		t.Fatalf("Commit(%+v) gave revision %d after %d", txn, revision, m.revision)
	}
	m.revision = revision
	if len(c.Events) > 0 {
		slices.SortFunc(c.Events, func(a, b metadata.Event) int {
			return strings.Compare(a.Entry.Key, b.Entry.Key)
		})
		m.log = append(m.log, c)
	}
}

// txns draws transactions over so few keys that they meet often.
func txns(prefix string) *rapid.Generator[metadata.Txn] {
	key := rapid.Map(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), func(name string) string { return prefix + name })
	return rapid.Custom(func(t *rapid.T) metadata.Txn {
		var txn metadata.Txn
		for _, k := range rapid.SliceOfNDistinct(key, 0, 2, rapid.ID).Draw(t, "conditions") {
			// Zero, one time in six, stands for a condition that does not hold.
			holds := rapid.Uint64Range(0, 5).Draw(t, "holds")
			txn.Conditions = append(txn.Conditions, metadata.Condition{Key: k, Revision: holds})
		}
		for _, k := range rapid.SliceOfNDistinct(key, 1, 4, rapid.ID).Draw(t, "changes") {
			if rapid.Bool().Draw(t, "delete") {
				txn.Deletes = append(txn.Deletes, k)
			} else {
				value := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "value")
				txn.Puts = append(txn.Puts, metadata.KeyValue{Key: k, Value: value})
			}
		}
		return txn
	})
}
