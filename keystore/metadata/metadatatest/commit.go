package metadatatest

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// try commits and returns only the error.
func (k kit) try(txn metadata.Txn) error {
	_, err := k.store.Commit(k.ctx, txn)
	return err
}

func testConditions(t *testing.T, k kit) {
	old := k.put("deleted", "1")
	k.delete("deleted")
	first := k.put("there", "1")
	now := k.put("there", "2")
	tests := []struct {
		name     string
		key      string
		revision uint64
		holds    bool
	}{
		{"present revision", "there", now, true},
		{"older revision", "there", first, false},
		{"later revision", "there", now + 1, false},
		{"must not exist, but does", "there", 0, false},
		{"must not exist", "never", 0, true},
		{"never existed", "never", now, false},
		{"must not exist, deleted", "deleted", 0, true},
		{"revision before deletion", "deleted", old, false},
	}
	for _, test := range tests {
		txn := putting("result", test.name)
		txn.Conditions = []metadata.Condition{{Key: scope + test.key, Revision: test.revision}}
		switch err := k.try(txn); {
		case test.holds && err != nil:
			t.Errorf("%s: %v, want success", test.name, err)
		case !test.holds && !errors.Is(err, metadata.ErrConflict):
			t.Errorf("%s: %v, want ErrConflict", test.name, err)
		}
	}
}

func testAllOrNothing(t *testing.T, k kit) {
	a := k.put("a", "1")
	b := k.put("b", "1")
	txn := metadata.Txn{
		Conditions: []metadata.Condition{{Key: scope + "a", Revision: a}, {Key: scope + "b", Revision: a}},
		Puts:       []metadata.KeyValue{{Key: scope + "a", Value: []byte("2")}, {Key: scope + "c", Value: []byte("2")}},
		Deletes:    []string{scope + "b"},
	}
	before := k.contents(scope)
	if err := k.try(txn); !errors.Is(err, metadata.ErrConflict) {
		t.Fatalf("Commit with one condition of two that holds: %v, want ErrConflict", err)
	}
	if diff := cmp.Diff(before, k.contents(scope)); diff != "" {
		t.Errorf("a refused Commit changed something (-before +after):\n%s", diff)
	}
	txn.Conditions[1].Revision = b
	revision := k.commit(txn)
	want := []string{render(entry("a", "2", revision)), render(entry("c", "2", revision))}
	if diff := cmp.Diff(want, k.contents(scope)); diff != "" {
		t.Errorf("after the Commit (-want +got):\n%s", diff)
	}
}

func testTxnsAreChecked(t *testing.T, k kit) {
	const a, b = scope + "a", scope + "b"
	put := func(keys ...string) (pairs []metadata.KeyValue) {
		for _, key := range keys {
			pairs = append(pairs, metadata.KeyValue{Key: key})
		}
		return pairs
	}
	big := make([]byte, metadata.MaxValueSize)
	tests := map[string]metadata.Txn{
		"nothing to do":         {},
		"only a condition":      {Conditions: []metadata.Condition{{Key: a}}},
		"put twice":             {Puts: put(a, b, a)},
		"deleted twice":         {Deletes: []string{a, a}},
		"put and deleted":       {Puts: put(a), Deletes: []string{a}},
		"two conditions on one": {Conditions: []metadata.Condition{{Key: a}, {Key: a}}, Puts: put(b)},
		"bad condition":         {Conditions: []metadata.Condition{{Key: "a"}}, Puts: put(b)},
		"long key":              {Puts: put(scope + strings.Repeat("k", metadata.MaxKeySize-len(scope)+1))},
		"long value":            {Puts: []metadata.KeyValue{{Key: a, Value: make([]byte, metadata.MaxValueSize+1)}}},
		"large in all":          {Puts: []metadata.KeyValue{{Key: a, Value: big}, {Key: b, Value: big}}},
		"too many changes":      {Puts: many(metadata.MaxTxnKeys + 1)},
	}
	for name, txn := range tests {
		if err := k.try(txn); !errors.Is(err, metadata.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if got := k.contents(scope); got != nil {
		t.Errorf("a refused Commit changed something: %q", got)
	}
}

func testLimits(t *testing.T, k kit) {
	long := scope + strings.Repeat("k", metadata.MaxKeySize-len(scope))
	big := make([]byte, metadata.MaxValueSize)
	k.commit(metadata.Txn{Puts: []metadata.KeyValue{{Key: long, Value: big}}})
	k.commit(metadata.Txn{Puts: many(metadata.MaxTxnKeys)})
	if got := len(k.contents(scope)); got != metadata.MaxTxnKeys+1 {
		t.Errorf("the store has %d entries, want %d", got, metadata.MaxTxnKeys+1)
	}
}

// many returns n puts of different keys.
func many(n int) (pairs []metadata.KeyValue) {
	for i := range n {
		pairs = append(pairs, metadata.KeyValue{Key: scope + "many/" + strconv.Itoa(i)})
	}
	return pairs
}

func testRevisionsRise(t *testing.T, k kit) {
	var last uint64
	for i := range 5 {
		revision := k.put("a", strconv.Itoa(i))
		if revision <= last {
			t.Fatalf("Commit made revision %d after %d", revision, last)
		}
		last = revision
	}
	if revision := k.delete("a"); revision <= last {
		t.Errorf("a deletion made revision %d after %d", revision, last)
	}
}

func testDeletingNothing(t *testing.T, k kit) {
	revision := k.put("a", "1")
	if got := k.delete("never"); got != revision {
		t.Errorf("deleting what does not exist gave revision %d, want still %d", got, revision)
	}
	txn := putting("b", "2")
	txn.Deletes = []string{scope + "never"}
	next := k.commit(txn)
	changes, err := k.watch(k.ctx, scope, revision, 1)
	want := []metadata.Change{{Revision: next, Events: []metadata.Event{
		{Kind: metadata.Put, Entry: entry("b", "2", next)},
	}}}
	if diff := cmp.Diff(want, changes); diff != "" || err != nil {
		t.Errorf("Watch: %v (-want +got):\n%s", err, diff)
	}
}

// testContention lets several writers count together: each increment reads the
// counter and writes it on condition that it is unchanged.
func testContention(t *testing.T, k kit) {
	const writers, increments = 4, 10
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range increments {
				if err := k.increment("counter"); err != nil {
					t.Errorf("incrementing: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
	got, err := k.store.Get(k.ctx, scope+"counter")
	if want := strconv.Itoa(writers * increments); err != nil || string(got.Value) != want {
		t.Errorf("the counter is at %s, %v, want %s", got.Value, err, want)
	}
}

// increment tries until its change does not collide with another's.
func (k kit) increment(name string) error {
	for {
		e, err := k.store.Get(k.ctx, scope+name)
		if err != nil && !errors.Is(err, metadata.ErrNotFound) {
			return err
		}
		n, _ := strconv.Atoi(string(e.Value)) // "" counts as 0
		txn := putting(name, strconv.Itoa(n+1))
		txn.Conditions = []metadata.Condition{{Key: scope + name, Revision: e.Revision}}
		if err := k.try(txn); !errors.Is(err, metadata.ErrConflict) {
			return err
		}
	}
}
