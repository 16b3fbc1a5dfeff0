package metadata_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// waitLong is a time limit that is only reached if something hangs.
const waitLong = 20 * time.Second

const planted = "a value to find in the file"

func TestDamagedFilesAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, path string)
		says   string
	}{
		{"empty", func(t *testing.T, path string) { truncate(t, path, 0) }, "only 0 bytes"},
		{"one page", func(t *testing.T, path string) { truncate(t, path, 4096) }, "only 4096 bytes"},
		{"last page lost", cutLastPage, "cut to"},
		{"not bbolt", func(t *testing.T, path string) { overwrite(t, path, bytes.Repeat([]byte("text "), 4096)) }, "not a bbolt file"},
		{"both meta pages", wipeMetaPages, "not a bbolt file"},
		{"one bit of a value", flipPlanted, "checksum"},
		{"no buckets", edit(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("meta")) }), "not one with metadata"},
		{"no entries", edit(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("entries")) }), "not one with metadata"},
		{"later format", edit(set("format", "\x00\x00\x00\x00\x00\x00\x00\x02")), "format version 2"},
		{"short format", edit(set("format", "\x01")), "not one with metadata"},
		{"revision behind", edit(set("revision", "\x00\x00\x00\x00\x00\x00\x00\x00")), "the store only at 0"},
		{"short record", edit(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("entries")).Put([]byte(scope+"b"), []byte("short"))
		}), "5 bytes long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := plantedFile(t)
			test.damage(t, path)
			_, err := metadata.OpenBolt(path, metadata.BoltOptions{})
			if !errors.Is(err, metadata.ErrCorrupt) {
				t.Fatalf("OpenBolt: %v, want ErrCorrupt", err)
			}
			for _, words := range []string{path, test.says} {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("the error is %q, want it to say %q", err, words)
				}
			}
			expectUnlocked(t, path)
		})
	}
}

// plantedFile makes a metadata file with one entry, of the planted value.
func plantedFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "metadata.db")
	store := open(t, path, metadata.BoltOptions{})
	put(t, store, "a", planted)
	closeStore(t, store)
	return path
}

// expectUnlocked fails if a refused file is still locked.
func expectUnlocked(t *testing.T, path string) {
	t.Helper()
	if err := os.Rename(path, path+".damaged"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".damaged"); err != nil {
		t.Fatal(err)
	}
	leaked, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range leaked {
		if target, _ := os.Readlink(fd); strings.HasPrefix(target, path) {
			t.Errorf("%s is still open as %s", target, fd)
		}
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// cutLastPage cuts off the last page that the newest transaction uses.
func cutLastPage(t *testing.T, path string) {
	t.Helper()
	var used int64
	edit(func(tx *bbolt.Tx) error {
		used = tx.Size()
		return nil
	})(t, path)
	truncate(t, path, used-int64(os.Getpagesize()))
}

func overwrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func wipeMetaPages(t *testing.T, path string) {
	t.Helper()
	data := read(t, path)
	clear(data[:2*os.Getpagesize()])
	overwrite(t, path, data)
}

func flipPlanted(t *testing.T, path string) {
	t.Helper()
	data := read(t, path)
	at := bytes.Index(data, []byte(planted))
	if at < 0 {
		t.Fatal("the planted value is not in the file")
	}
	data[at] ^= 0x10
	overwrite(t, path, data)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// edit changes a closed file as bbolt would.
func edit(change func(*bbolt.Tx) error) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(change), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// set replaces one value of the meta bucket.
func set(key, value string) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte(key), []byte(value)) }
}

// TestFileCutWhileOpen takes the file's pages away from under the store: the process
// must survive that, and the store must not go on.
func TestFileCutWhileOpen(t *testing.T) {
	path := plantedFile(t)
	store := open(t, path, metadata.BoltOptions{})
	truncate(t, path, 0)
	ctx, cancel := context.WithTimeout(t.Context(), waitLong)
	defer cancel()
	if _, err := store.Get(ctx, scope+"a"); !errors.Is(err, metadata.ErrCorrupt) {
		t.Errorf("Get: %v, want ErrCorrupt", err)
	}
	_, err := store.Commit(ctx, metadata.Txn{Deletes: []string{scope + "a"}})
	if !errors.Is(err, metadata.ErrCorrupt) {
		t.Errorf("Commit: %v, want ErrCorrupt", err)
	}
	if err := firstError(store, 1); !errors.Is(err, metadata.ErrCorrupt) {
		t.Errorf("Watch: %v, want ErrCorrupt", err)
	}
	closeStore(t, store)
}

func TestOtherProcessHasTheFile(t *testing.T) {
	path := plantedFile(t)
	holder := open(t, path, metadata.BoltOptions{})
	_, err := metadata.OpenBolt(path, metadata.BoltOptions{LockTimeout: time.Millisecond})
	if !errors.Is(err, metadata.ErrUnavailable) {
		t.Errorf("OpenBolt of an open file: %v, want ErrUnavailable", err)
	}
	for _, words := range []string{path, fmt.Sprintf("process %d ", os.Getpid())} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %v, want it to say %q", err, words)
		}
	}
	closeStore(t, holder)
	open(t, path, metadata.BoltOptions{LockTimeout: waitLong})
}
