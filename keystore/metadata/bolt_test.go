package metadata_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/keystore/metadata/metadatatest"
)

const scope = "111122223333/us-east-1/"

// TestMain also serves as the process that TestKilledWriter kills.
func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		writeForever(path)
		return
	}
	goleak.VerifyTestMain(m)
}

func TestBoltKeepsTheContract(t *testing.T) {
	metadatatest.Run(t, func(t *testing.T) metadata.Store {
		return open(t, filepath.Join(t.TempDir(), "metadata.db"), metadata.BoltOptions{})
	})
}

func TestReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metadata.db")
	store := open(t, path, metadata.BoltOptions{})
	put(t, store, "a", "1")
	put(t, store, "b", "1")
	last := put(t, store, "a", "2")
	before, _, err := store.Range(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)

	store = open(t, path, metadata.BoltOptions{})
	after, revision, err := store.Range(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("after reopening (-before +after):\n%s", diff)
	}
	if revision != last {
		t.Errorf("the revision is %d, want %d", revision, last)
	}
	if err := firstError(store, last-1); !errors.Is(err, metadata.ErrCompacted) {
		t.Errorf("Watch from before the restart: %v, want ErrCompacted", err)
	}
	if next := put(t, store, "c", "3"); next != last+1 {
		t.Errorf("the next revision is %d, want %d", next, last+1)
	}
	if err := firstError(store, last); err != nil {
		t.Errorf("Watch from the revision at the restart: %v, want a change", err)
	}
}

func TestOldChangesAreDropped(t *testing.T) {
	const kept = 3
	path := filepath.Join(t.TempDir(), "metadata.db")
	store := open(t, path, metadata.BoltOptions{MaxChanges: kept})
	var last uint64
	for i := range 2 * kept {
		last = put(t, store, "a", strconv.Itoa(i))
	}
	if err := firstError(store, last-kept); err != nil {
		t.Errorf("Watch of the changes kept: %v", err)
	}
	if err := firstError(store, last-kept-1); !errors.Is(err, metadata.ErrCompacted) {
		t.Errorf("Watch of one change more: %v, want ErrCompacted", err)
	}
}

// TestSlowWatch falls behind by more than is kept and must be told so.
func TestSlowWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metadata.db")
	store := open(t, path, metadata.BoltOptions{MaxChanges: 2})
	start := put(t, store, "a", "first")
	var end error
	seen := 0
	for _, err := range store.Watch(t.Context(), scope, start-1) {
		if err != nil {
			end = err
			break
		}
		seen++
		for i := range 3 {
			put(t, store, "a", strconv.Itoa(i))
		}
	}
	if seen != 1 || !errors.Is(end, metadata.ErrCompacted) {
		t.Errorf("Watch gave %d changes and then %v, want 1 and ErrCompacted", seen, end)
	}
}

func TestNewFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "metadata.db")
	open(t, path, metadata.BoltOptions{})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the file's mode is %v, want 0600", got)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the directory has %v, %v, want only the file", files, err)
	}
}

func TestDirectoryMissing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing", "data")
	open(t, filepath.Join(dir, "metadata.db"), metadata.BoltOptions{})
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("the directory's mode is %v, want 0700", got)
	}
}

// TestCreatedAtOnce makes one new file from many goroutines: all must end up with
// the same one, so that their changes meet in it.
func TestCreatedAtOnce(t *testing.T) {
	const openers = 4
	path := filepath.Join(t.TempDir(), "metadata.db")
	var group sync.WaitGroup
	for i := range openers {
		group.Go(func() {
			store, err := metadata.OpenBolt(path, metadata.BoltOptions{LockTimeout: waitLong})
			if err != nil {
				t.Errorf("OpenBolt: %v", err)
				return
			}
			put(t, store, strconv.Itoa(i), "")
			closeStore(t, store)
		})
	}
	group.Wait()
	entries, revision, err := open(t, path, metadata.BoltOptions{}).Range(t.Context(), scope)
	if err != nil || len(entries) != openers || revision != openers {
		t.Errorf("the file has %d entries at revision %d, %v, want %d", len(entries), revision, err, openers)
	}
}

// open opens a store that is closed at the end of the test, if not before.
func open(t *testing.T, path string, opts metadata.BoltOptions) *metadata.Bolt {
	t.Helper()
	store, err := metadata.OpenBolt(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func closeStore(t *testing.T, store metadata.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func put(t *testing.T, store metadata.Store, name, value string) uint64 {
	t.Helper()
	revision, err := store.Commit(context.WithoutCancel(t.Context()), metadata.Txn{
		Puts: []metadata.KeyValue{{Key: scope + name, Value: []byte(value)}},
	})
	if err != nil {
		t.Errorf("Commit: %v", err)
	}
	return revision
}

// firstError returns with what a Watch begins: an error, or nil for a change.
func firstError(store metadata.Store, after uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), waitLong)
	defer cancel()
	for _, err := range store.Watch(ctx, scope, after) {
		return err
	}
	return errors.New("the Watch ended without a change or an error")
}
