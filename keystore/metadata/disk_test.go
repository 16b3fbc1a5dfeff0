package metadata

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// failure is a way in which a disk fails a transaction.
type failure int

const (
	works failure = iota
	// refused: a write or the first sync fails, and nothing is to be seen.
	refused
	// kept: the last sync fails, and yet the disk has the change.
	kept
	// dropped: the last sync fails, and the disk does not have what is to be seen
	// until the kernel drops the page.
	dropped
)

// disk fails the transactions of a store.
type disk struct {
	b    *Bolt
	mu   sync.Mutex
	next failure // of every transaction until it is set again
}

func failing(b *Bolt) *disk {
	d := &disk{b: b}
	b.update = d.update
	return d
}

func (d *disk) set(f failure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = f
}

func (d *disk) update(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := make([]byte, 2*os.Getpagesize()) // the pages that say which transaction is the newest
	if _, err := d.b.file.ReadAt(before, 0); err != nil {
		return err
	}
	err := db.Update(func(tx *bbolt.Tx) error {
		if err := fn(tx); err != nil || d.next != refused {
			return err
		}
		return &os.PathError{Op: "write", Path: d.b.path, Err: syscall.EIO}
	})
	if err != nil || d.next == works {
		return err
	}
	if d.next == dropped {
		_, err = d.b.file.WriteAt(before, 0)
	}
	return errors.Join(syscall.EIO, err)
}

// takeIn takes in the changes that there are after a revision.
func takeIn(t *testing.T, b *Bolt, state map[string]string, after uint64) uint64 {
	t.Helper()
	changes, _, err := b.history.since(after)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		for _, e := range c.Events {
			state[e.Entry.Key] = string(e.Entry.Value)
		}
		after = c.Revision
	}
	return after
}

func txnOf(value string) Txn { return Txn{Puts: []KeyValue{{Key: testKey, Value: []byte(value)}}} }

func scopeOf(key string) string { return key[:strings.LastIndexByte(key, '/')+1] }

func errorOf[T any](_ T, err error) error { return err }

func mustCommit(t *testing.T, b *Bolt, value string) uint64 {
	t.Helper()
	revision, err := b.Commit(t.Context(), txnOf(value))
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// watchUntil returns the values that a Watch after a revision gives up to another.
func watchUntil(t *testing.T, b *Bolt, after, last uint64) []string {
	t.Helper()
	var values []string
	for c, err := range b.Watch(t.Context(), scopeOf(testKey), after) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range c.Events {
			values = append(values, string(e.Entry.Value))
		}
		if c.Revision >= last {
			break
		}
	}
	return values
}

func awaitHealthy(t *testing.T, b *Bolt) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if b.Healthy() == nil {
			return
		}
	}
	t.Fatalf("health stays %v", b.Healthy())
}

// outOfReach takes the file's directory away, so that no other file can be made
// in it, and returns what brings it back.
func outOfReach(t *testing.T, path string) (back func()) {
	t.Helper()
	dir := filepath.Dir(path)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
	}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var s syscall.Stat_t
	if err := syscall.Stat(path, &s); err != nil {
		t.Fatal(err)
	}
	return s.Ino
}

func expectOnlyFile(t *testing.T, path string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("the directory has %v, %v, want only the file", files, err)
	}
}

func expectLocked(t *testing.T, path string) {
	t.Helper()
	if _, err := OpenBolt(path, BoltOptions{LockTimeout: time.Millisecond}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("another OpenBolt: %v, want ErrUnavailable", err)
	}
}

// openCount returns how often this process has a file open.
func openCount(t *testing.T, path string) int {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, fd := range open {
		if target, err := os.Readlink(fd); err == nil && target == path {
			count++
		}
	}
	return count
}

func openAt(t *testing.T, path string) *Bolt {
	t.Helper()
	b, err := OpenBolt(path, BoltOptions{retry: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func closeNow(t *testing.T, b *Bolt) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
