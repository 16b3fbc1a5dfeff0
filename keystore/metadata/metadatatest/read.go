package metadatatest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

func testGet(t *testing.T, k kit) {
	if _, err := k.store.Get(k.ctx, scope+"a"); !errors.Is(err, metadata.ErrNotFound) {
		t.Errorf("Get before any Commit: %v, want ErrNotFound", err)
	}
	first := k.put("a", "1")
	k.expect("a", entry("a", "1", first))
	second := k.put("b", "")
	k.expect("a", entry("a", "1", first))
	k.expect("b", entry("b", "", second))
	third := k.put("a", "2")
	k.expect("a", entry("a", "2", third))
	k.delete("a")
	if _, err := k.store.Get(k.ctx, scope+"a"); !errors.Is(err, metadata.ErrNotFound) {
		t.Errorf("Get of a deleted entry: %v, want ErrNotFound", err)
	}
}

// expect compares one entry.
func (k kit) expect(name string, want metadata.Entry) {
	k.t.Helper()
	got, err := k.store.Get(k.ctx, scope+name)
	if err != nil {
		k.t.Fatalf("Get(%q): %v", name, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		k.t.Errorf("Get(%q) (-want +got):\n%s", name, diff)
	}
}

func testValuesAreCopies(t *testing.T, k kit) {
	value := []byte("original")
	revision := k.commit(metadata.Txn{Puts: []metadata.KeyValue{{Key: scope + "a", Value: value}}})
	copy(value, "damaged!")
	got, err := k.store.Get(k.ctx, scope+"a")
	if err != nil {
		t.Fatal(err)
	}
	copy(got.Value, "damaged!")
	entries, _, err := k.store.Range(k.ctx, scope)
	if err != nil {
		t.Fatal(err)
	}
	copy(entries[0].Value, "damaged!")
	k.expect("a", entry("a", "original", revision))
}

func testRange(t *testing.T, k kit) {
	const otherAccount, otherRegion = "111122223334/us-east-1/", "111122223333/us-east-10/"
	entries, revision, err := k.store.Range(k.ctx, scope)
	if err != nil || len(entries) != 0 {
		t.Errorf("Range of an empty store: %v, %v, want nothing", entries, err)
	}
	for _, key := range []string{scope + "key/b", otherAccount + "key/a", scope + "key/a", scope + "key", scope + "alias/a", otherRegion + "key/a"} {
		next := k.commit(metadata.Txn{Puts: []metadata.KeyValue{{Key: key, Value: []byte("v")}}})
		if next <= revision {
			t.Fatalf("Commit made revision %d after %d", next, revision)
		}
		revision = next
	}
	tests := []struct {
		prefix string
		want   []string
	}{
		{scope, []string{scope + "alias/a", scope + "key", scope + "key/a", scope + "key/b"}},
		{scope + "key/", []string{scope + "key/a", scope + "key/b"}},
		{scope + "key/a", []string{scope + "key/a"}},
		{scope + "key/c", nil},
		{otherAccount, []string{otherAccount + "key/a"}},
		{otherRegion, []string{otherRegion + "key/a"}},
	}
	for _, test := range tests {
		entries, got, err := k.store.Range(k.ctx, test.prefix)
		if err != nil {
			t.Fatalf("Range(%q): %v", test.prefix, err)
		}
		if got != revision {
			t.Errorf("Range(%q) is of revision %d, want %d", test.prefix, got, revision)
		}
		if diff := cmp.Diff(test.want, keys(entries)); diff != "" {
			t.Errorf("Range(%q) (-want +got):\n%s", test.prefix, diff)
		}
	}
}

func keys(entries []metadata.Entry) []string {
	var keys []string
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys
}

func testKeysAreChecked(t *testing.T, k kit) {
	const noRegion = "111122223333/key"
	calls := map[string]func() error{
		"Get":             func() error { _, err := k.store.Get(k.ctx, noRegion); return err },
		"Get of no name":  func() error { _, err := k.store.Get(k.ctx, scope); return err },
		"Range":           func() error { _, _, err := k.store.Range(k.ctx, noRegion); return err },
		"Range of all":    func() error { _, _, err := k.store.Range(k.ctx, ""); return err },
		"Watch":           func() error { _, err := k.watch(k.ctx, noRegion, 0, 1); return err },
		"Watch all":       func() error { _, err := k.watch(k.ctx, "", 0, 1); return err },
		"put":             func() error { return k.try(metadata.Txn{Puts: []metadata.KeyValue{{Key: noRegion}}}) },
		"delete":          func() error { return k.try(metadata.Txn{Deletes: []string{noRegion}}) },
		"delete an empty": func() error { return k.try(metadata.Txn{Deletes: []string{""}}) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, metadata.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

func testClosed(t *testing.T, k kit) {
	k.put("a", "1")
	watched := make(chan error, 1)
	go func() {
		_, err := k.watch(k.ctx, scope, 0, 2)
		watched <- err
	}()
	if err := k.store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if err := k.store.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	if err := <-watched; !errors.Is(err, metadata.ErrClosed) {
		t.Errorf("Watch ended with %v, want ErrClosed", err)
	}
	for name, err := range k.callAll(k.ctx) {
		if !errors.Is(err, metadata.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
}

func testContextEnded(t *testing.T, k kit) {
	k.put("a", "1")
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	for name, err := range k.callAll(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with an ended context: %v, want context.Canceled", name, err)
		}
	}
	if got := k.contents(scope); len(got) != 1 {
		t.Errorf("the store has %q, want only the first entry", got)
	}
}

// callAll makes a valid call of every method but Close.
func (k kit) callAll(ctx context.Context) map[string]error {
	_, getErr := k.store.Get(ctx, scope+"a")
	_, _, rangeErr := k.store.Range(ctx, scope)
	_, commitErr := k.store.Commit(ctx, putting("b", "2"))
	_, watchErr := k.watch(ctx, scope, 0, 2)
	return map[string]error{"Get": getErr, "Range": rangeErr, "Commit": commitErr, "Watch": watchErr}
}
