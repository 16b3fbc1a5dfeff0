package metadata

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

const testKey = "111122223333/us-east-1/a"

var testTxn = Txn{Puts: []KeyValue{{Key: testKey, Value: []byte("v")}}}

// TestReadsWaitForDurability makes a change that bbolt shows already, but of which
// the last sync has not returned: nobody may see it until then.
func TestReadsWaitForDurability(t *testing.T) {
	b := openTest(t)
	change := commitUnsynced(t, b)
	reads := map[string]func(context.Context) error{
		"Get":   func(ctx context.Context) error { _, err := b.Get(ctx, testKey); return err },
		"Range": func(ctx context.Context) error { _, _, err := b.Range(ctx, testKey); return err },
		"Watch": func(ctx context.Context) error {
			for _, err := range b.Watch(ctx, testKey, 0) {
				return err
			}
			return nil
		},
	}
	for name, read := range reads {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if err := read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s before the sync: %v, want it to wait", name, err)
		}
		cancel()
	}
	b.history.add(change)
	for name, read := range reads {
		if err := read(t.Context()); err != nil {
			t.Errorf("%s after the sync: %v", name, err)
		}
	}
}

// TestFailedWriteLeavesTheStoreUsable fails before anything is to be seen, as a full
// disk does.
func TestFailedWriteLeavesTheStoreUsable(t *testing.T) {
	b := openTest(t)
	if _, err := b.Commit(t.Context(), testTxn); err != nil {
		t.Fatal(err)
	}
	large := Txn{Puts: []KeyValue{{Key: testKey, Value: make([]byte, MaxValueSize)}}}
	b.db.MaxSize = MaxValueSize / 2
	if _, err := b.Commit(t.Context(), large); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Commit without space: %v, want ErrUnavailable", err)
	}
	entry, err := b.Get(t.Context(), testKey)
	if err != nil || string(entry.Value) != "v" || entry.Revision != 1 {
		t.Errorf("Get after the failed Commit: %s@%d, %v, want v@1", entry.Value, entry.Revision, err)
	}
	b.db.MaxSize = 0
	if revision, err := b.Commit(t.Context(), large); err != nil || revision != 2 {
		t.Errorf("Commit with space again: revision %d, %v, want 2", revision, err)
	}
}

// TestLostFile fails every write because the file descriptor is gone.
func TestLostFile(t *testing.T) {
	b := openTest(t)
	if err := b.file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Commit(t.Context(), testTxn); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Commit: %v, want ErrUnavailable", err)
	}
	if _, err := b.Get(t.Context(), testKey); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound: nothing was written", err)
	}
	if err := b.Close(); err == nil {
		t.Error("Close of a lost file succeeded")
	}
}

// TestCommitWaitsItsTurn expects a Commit to wait for the one before it no longer
// than its context allows.
func TestCommitWaitsItsTurn(t *testing.T) {
	b := openTest(t)
	if err := b.lockWriter(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := b.Commit(ctx, testTxn); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Commit beside another: %v, want it to wait", err)
	}
	b.unlockWriter()
	if _, err := b.Commit(t.Context(), testTxn); err != nil {
		t.Errorf("Commit after the other: %v", err)
	}
}

// TestHistoryIsBoundInBytes drops changes that are too large to be kept together.
func TestHistoryIsBoundInBytes(t *testing.T) {
	h := newHistory(0, 100, 25)
	for revision := uint64(1); revision <= 4; revision++ {
		e := Entry{Key: "k", Value: make([]byte, 9), Revision: revision}
		h.add(Change{Revision: revision, Events: []Event{{Kind: Put, Entry: e}}})
	}
	if _, _, err := h.since(1); !errors.Is(err, ErrCompacted) {
		t.Errorf("since(1): %v, want ErrCompacted", err)
	}
	changes, _, err := h.since(2)
	if err != nil || len(changes) != 2 || changes[0].Revision != 3 || h.size != 20 {
		t.Errorf("since(2): %v, %v, %d bytes kept, want revisions 3 and 4 of 20 bytes", changes, err, h.size)
	}
}

func openTest(t *testing.T) *Bolt {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "metadata.db"))
}

// commitUnsynced stops a Commit between its last write and the return of its sync.
func commitUnsynced(t *testing.T, b *Bolt) (change Change) {
	t.Helper()
	err := b.db.Update(func(tx *bbolt.Tx) (err error) {
		change, err = apply(tx, testTxn)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return change
}
