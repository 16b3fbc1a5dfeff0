package metadata

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// TestFileReplacedWhileOpening has a second process wait for the lock of a file that
// the first one replaces and then closes.
func TestFileReplacedWhileOpening(t *testing.T) {
	b := openTest(t)
	mustCommit(t, b, "1")
	type result struct {
		b   *Bolt
		err error
	}
	opened := make(chan result, 1)
	go func() {
		second, err := OpenBolt(b.path, BoltOptions{LockTimeout: time.Minute})
		opened <- result{second, err}
	}()
	for count := 0; count < 2; time.Sleep(time.Millisecond) {
		count = openCount(t, b.path)
	}
	d := failing(b)
	d.set(kept)
	if _, err := b.Commit(t.Context(), txnOf("2")); err != nil {
		t.Fatal(err)
	}
	d.set(works)
	mustCommit(t, b, "3")
	expectLocked(t, b.path)
	closeNow(t, b)
	second := <-opened
	if second.err != nil {
		t.Fatal(second.err)
	}
	defer closeNow(t, second.b)
	if e, err := second.b.Get(t.Context(), testKey); string(e.Value) != "3" || err != nil {
		t.Errorf("Get from the second: %q, %v, want 3, which is in the file that replaced the first", e.Value, err)
	}
}

// TestChangeThatOnlyTheCacheHas opens a file after a process whose sync failed: the
// disk has nothing of the change, but the page cache shows it, in pages that the kernel
// holds for clean. What is acknowledged from then on must be on the disk.
func TestChangeThatOnlyTheCacheHas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metadata.db")
	b := openAt(t, path)
	lost, shown := strings.Repeat("1", 4096), strings.Repeat("2", 4096) // long enough for a page of their own
	mustCommit(t, b, lost)
	disk := contentOf(t, path)
	if err := b.db.Update(func(tx *bbolt.Tx) error { _, err := apply(tx, txnOf(shown)); return err }); err != nil {
		t.Fatal(err)
	}
	closeNow(t, b)
	cache, file := contentOf(t, path), inode(t, path)

	b = openAt(t, path)
	if e, err := b.Get(t.Context(), testKey); string(e.Value) != shown || err != nil {
		t.Fatalf("Get: %.4q, %v, want what the cache shows", e.Value, err)
	}
	if inode(t, path) == file {
		disk = writeBack(disk, cache, contentOf(t, path))
	} else {
		disk = contentOf(t, path)
	}
	closeNow(t, b)
	if err := os.WriteFile(path, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	b = openAt(t, path)
	if e, err := b.Get(t.Context(), testKey); string(e.Value) != shown || err != nil {
		t.Errorf("Get after a power cut: %.4q, %v, want what was shown before", e.Value, err)
	}
}

// writeBack is what a disk has after the pages were written in which a file differs from before.
func writeBack(disk, before, now []byte) []byte {
	disk = append(disk, make([]byte, max(len(now)-len(disk), 0))...)
	page := os.Getpagesize()
	for at := 0; at < len(now); at += page {
		if at >= len(before) || !bytes.Equal(before[at:at+page], now[at:at+page]) {
			copy(disk[at:], now[at:at+page])
		}
	}
	return disk
}

// TestDraftsOfTheDead removes what a process left that was killed while it copied.
func TestDraftsOfTheDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metadata.db")
	if err := os.WriteFile(path+draftSuffix+"4711", []byte("half of a copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
	expectOnlyFile(t, path)
}
