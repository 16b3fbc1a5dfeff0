package metadatatest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// watch collects changes until it has n of them or the Watch ends with an error. It
// does not wait for none.
func (k kit) watch(ctx context.Context, prefix string, after uint64, n int) ([]metadata.Change, error) {
	var changes []metadata.Change
	if n == 0 {
		return nil, nil
	}
	for change, err := range k.store.Watch(ctx, prefix, after) {
		if err != nil {
			return changes, err
		}
		changes = append(changes, change)
		if len(changes) == n {
			break
		}
	}
	return changes, nil
}

// expectWatch compares the changes after a revision.
func (k kit) expectWatch(prefix string, after uint64, want ...metadata.Change) {
	k.t.Helper()
	got, err := k.watch(k.ctx, prefix, after, len(want))
	if err != nil {
		k.t.Errorf("Watch after %d: %v", after, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		k.t.Errorf("Watch after %d (-want +got):\n%s", after, diff)
	}
}

func putEvent(name, value string, revision uint64) metadata.Event {
	return metadata.Event{Kind: metadata.Put, Entry: entry(name, value, revision)}
}

func deleteEvent(name string, revision uint64) metadata.Event {
	return metadata.Event{Kind: metadata.Delete, Entry: metadata.Entry{Key: scope + name, Revision: revision}}
}

func change(revision uint64, events ...metadata.Event) metadata.Change {
	return metadata.Change{Revision: revision, Events: events}
}

func testWatchPast(t *testing.T, k kit) {
	_, start, err := k.store.Range(k.ctx, scope)
	if err != nil {
		t.Fatal(err)
	}
	first := k.put("b", "1")
	second := k.commit(metadata.Txn{
		Puts:    []metadata.KeyValue{{Key: scope + "c", Value: []byte("2")}, {Key: scope + "a", Value: []byte("")}},
		Deletes: []string{scope + "b"},
	})
	k.expectWatch(scope, start,
		change(first, putEvent("b", "1", first)),
		change(second, putEvent("a", "", second), deleteEvent("b", second), putEvent("c", "2", second)))
}

func testWatchFuture(t *testing.T, k kit) {
	last := k.put("a", "0")
	changes := make(chan metadata.Change)
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		defer close(changes)
		for change, err := range k.store.Watch(ctx, scope, last) {
			if err != nil {
				return
			}
			changes <- change
		}
	})
	for i := range 3 {
		value := strconv.Itoa(i + 1)
		revision := k.put("a", value)
		want := change(revision, putEvent("a", value, revision))
		if diff := cmp.Diff(want, <-changes); diff != "" {
			t.Fatalf("change %d (-want +got):\n%s", i, diff)
		}
	}
}

func testWatchResumes(_ *testing.T, k kit) {
	var all []metadata.Change
	_, start, _ := k.store.Range(k.ctx, scope)
	for i := range 5 {
		value := strconv.Itoa(i)
		revision := k.put("a", value)
		all = append(all, change(revision, putEvent("a", value, revision)))
	}
	k.expectWatch(scope, start, all...)
	for i, seen := range all[:len(all)-1] {
		k.expectWatch(scope, seen.Revision, all[i+1:]...)
	}
}

func testWatchPrefix(t *testing.T, k kit) {
	start := k.put("key/a", "0")
	k.put("alias/a", "1")
	mixed := k.commit(metadata.Txn{Puts: []metadata.KeyValue{
		{Key: scope + "key/a", Value: []byte("2")},
		{Key: scope + "alias/a", Value: []byte("2")},
	}})
	k.commit(metadata.Txn{Puts: []metadata.KeyValue{{Key: "111122223333/eu-west-1/key/a"}}})
	last := k.put("key/b", "3")
	k.expectWatch(scope+"key/", start,
		change(mixed, putEvent("key/a", "2", mixed)),
		change(last, putEvent("key/b", "3", last)))
}

// testWatchBesideWriters starts from a Range in the middle of other people's writes
// and must be able to follow every change from there to the end.
func testWatchBesideWriters(t *testing.T, k kit) {
	const writers, puts = 4, 12
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for range puts {
				if err := k.increment("writer/" + strconv.Itoa(w)); err != nil {
					t.Errorf("writing: %v", err)
				}
			}
		})
	}
	entries, revision, err := k.store.Range(k.ctx, scope)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for _, e := range entries {
		seen[e.Key], _ = strconv.Atoi(string(e.Value))
	}
	total := 0
	for _, n := range seen {
		total += n
	}
	changes, err := k.watch(k.ctx, scope, revision, writers*puts-total)
	if err != nil {
		t.Errorf("Watch: %v", err)
	}
	group.Wait()
	checkCounting(t, seen, revision, changes)
}

// checkCounting checks that every counter went up by ones and revisions rose.
func checkCounting(t *testing.T, seen map[string]int, revision uint64, changes []metadata.Change) {
	t.Helper()
	for _, c := range changes {
		if c.Revision <= revision {
			t.Errorf("revision %d came after %d", c.Revision, revision)
		}
		revision = c.Revision
		for _, e := range c.Events {
			seen[e.Entry.Key]++
			if got := string(e.Entry.Value); got != strconv.Itoa(seen[e.Entry.Key]) {
				t.Fatalf("%s went to %s, want %d: a change is missing", e.Entry.Key, got, seen[e.Entry.Key])
			}
		}
	}
}

func testWatchContext(t *testing.T, k kit) {
	revision := k.put("a", "1")
	ctx, cancel := context.WithCancel(k.ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := k.watch(ctx, scope, revision, 1)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch ended with %v, want context.Canceled", err)
	}
}

func testWatchUnreached(t *testing.T, k kit) {
	revision := k.put("a", "1")
	if _, err := k.watch(k.ctx, scope, revision+1, 1); !errors.Is(err, metadata.ErrInvalid) {
		t.Errorf("Watch: %v, want ErrInvalid", err)
	}
}

func testWatchedValuesAreCopies(t *testing.T, k kit) {
	_, start, err := k.store.Range(k.ctx, scope)
	if err != nil {
		t.Fatal(err)
	}
	revision := k.put("a", "original")
	changes, err := k.watch(k.ctx, scope, start, 1)
	if err != nil {
		t.Fatal(err)
	}
	copy(changes[0].Events[0].Entry.Value, "damaged!")
	k.expectWatch(scope, start, change(revision, putEvent("a", "original", revision)))
}
