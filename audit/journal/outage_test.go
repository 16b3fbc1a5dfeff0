package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit/durable"
)

// lossyDisk is a disk whose failed writes stay in the page cache, as clean pages,
// until evict drops them.
type lossyDisk struct {
	mu      sync.Mutex
	failing bool
	lost    map[[2]int64]int // inode and offset to length
}

func (d *lossyDisk) fail(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing = on
}

type lossyFile struct {
	*os.File
	disk  *lossyDisk
	inode int64
}

func (d *lossyDisk) open(path string, flag int, perm os.FileMode) (file, error) {
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &lossyFile{File: f, disk: d, inode: int64(info.Sys().(*syscall.Stat_t).Ino)}, nil
}

func (f *lossyFile) WriteAt(b []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	n, err := f.File.WriteAt(b, off)
	if err != nil {
		return n, err
	}
	at := [2]int64{f.inode, off}
	if f.disk.failing {
		f.disk.lost[at] = len(b)
		return 0, syscall.EIO
	}
	if len(b) >= f.disk.lost[at] {
		delete(f.disk.lost, at)
	}
	return n, nil
}

// evict has the segments in dir as they are on the platter.
func (d *lossyDisk) evict(t *testing.T, dir string) {
	t.Helper()
	for _, path := range segmentFiles(t, dir) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		for at, n := range d.lost {
			if at[0] == int64(info.Sys().(*syscall.Stat_t).Ino) && at[1] < info.Size() {
				editFile(t, path, func(b []byte) []byte { clear(b[at[1]:min(at[1]+int64(n), int64(len(b)))]); return b })
			}
		}
	}
}

// A batch whose write failed may be read back from the page cache and be gone
// later. Open must make it durable before it builds on it.
func TestBatchThatOnlyTheCacheHas(t *testing.T) {
	d := &lossyDisk{lost: make(map[[2]int64]int)}
	o := fixed(t.TempDir())
	o.open, o.retry = d.open, time.Hour
	j, _ := mustOpen(t, o)
	mustAppend(t, j, "record 1")
	d.fail(true)
	if _, err := j.Append(t.Context(), Entry{Body: []byte("record 2")}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Append: %v", err)
	}
	mustClose(t, j)
	if _, _, err := Open(o); !errors.Is(err, syscall.EIO) {
		t.Errorf("Open while the disk fails: %v", err)
	}
	d.fail(false)
	j, found := mustOpen(t, o)
	if found.LastSeq != 2 {
		t.Fatalf("recovery %+v: the test wants the second batch to be in the cache", found)
	}
	mustAppend(t, j, "record 3")
	mustClose(t, j)
	d.evict(t, o.Dir)
	got, err := bodies(o.Dir, 1)
	if diff := cmp.Diff(numbered(3), got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// What was once seen of a segment stays true, also of one that failed before its
// first record: a reader, or whoever keeps a head, may have seen it.
func TestFailedSegmentsStay(t *testing.T) {
	faults := map[string]func(*disk, *Options) (fail func(bool)){
		"of the batch": func(d *disk, _ *Options) func(bool) {
			return func(on bool) {
				d.set(func(kind string, off int64, size int) (int, error) {
					if on && kind == "segment" && off > 0 {
						return 0, syscall.EIO
					}
					return size, nil
				})
			}
		},
		"of the directory": func(d *disk, o *Options) func(bool) {
			var mu sync.Mutex
			failing := false
			o.syncDir = func(dir string) error {
				mu.Lock()
				defer mu.Unlock()
				if failing {
					return syscall.EIO
				}
				return durable.SyncDir(dir)
			}
			return func(on bool) {
				mu.Lock()
				failing = on
				mu.Unlock()
				var once sync.Once
				d.set(func(kind string, off int64, size int) (n int, err error) {
					if on && kind == "segment" && off > 0 {
						once.Do(func() { err = syscall.EIO })
					}
					return size, err
				})
			}
		},
	}
	for name, arrange := range faults {
		t.Run(name, func(t *testing.T) {
			d, o := faulty(t)
			fail := arrange(d, &o)
			j, _ := mustOpen(t, o)
			mustAppend(t, j, "record 1")
			fail(true)
			if _, err := j.Append(t.Context(), Entry{Body: []byte("lost")}); !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
			seen := segmentHeaders(t, o.Dir)
			if len(seen) < 2 {
				t.Fatalf("%d segments: the test wants one that failed before its first record", len(seen))
			}
			head := j.Head()
			fail(false)
			awaitHealth(t, j, true)
			mustAppend(t, j, "record 2")
			mustClose(t, j)
			now := segmentHeaders(t, o.Dir)
			for n, header := range seen {
				if now[n] != header {
					t.Errorf("segment %s was replaced", n)
				}
			}
			if !chainHas(t, o.Dir, head.Hash) {
				t.Errorf("head %v is no part of the journal", head)
			}
			got, err := bodies(o.Dir, 1)
			if diff := cmp.Diff(numbered(2), got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			mustVerify(t, o.Dir)
		})
	}
}

func segmentHeaders(t *testing.T, dir string) map[string]string {
	t.Helper()
	headers := make(map[string]string)
	for _, path := range segmentFiles(t, dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		headers[path] = string(b[:headerSize])
	}
	return headers
}

// chainHas tells whether the chain has the value after a segment header or
// before a batch.
func chainHas(t *testing.T, dir string, h Hash) bool {
	t.Helper()
	for _, path := range segmentFiles(t, dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), string(h[:])) {
			return true
		}
	}
	return false
}

// A disk that hangs does not fill the memory with those who wait for it.
func TestQueueIsBounded(t *testing.T) {
	d, o := faulty(t)
	o.maxQueued = 10 * (recordOverhead + 100)
	j, _ := mustOpen(t, o)
	writing, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.set(func(kind string, _ int64, size int) (int, error) {
		if kind == "segment" {
			once.Do(func() { close(writing) })
			<-release
		}
		return size, nil
	})
	result := make(chan error)
	appendOne := func() {
		_, err := j.Append(t.Context(), Entry{Body: make([]byte, 100)})
		result <- err
	}
	go appendOne()
	<-writing
	for range 11 {
		go appendOne()
	}
	if err := <-result; !errors.Is(err, ErrUnavailable) {
		t.Errorf("Append to a full queue: %v", err)
	}
	close(release)
	for range 11 {
		if err := <-result; err != nil {
			t.Errorf("Append within the bound: %v", err)
		}
	}
	mustAppend(t, j, "on") // the queue has room again
}

// A full disk takes a segment of writes at each attempt to prepare one.
func TestPreparingIsTriedEverMoreRarely(t *testing.T) {
	d, o := faulty(t)
	o = o.withSeams()
	var log strings.Builder
	o.Logger = hclog.New(&hclog.LoggerOptions{Output: &log})
	p := newPreparer(o)
	full := func(string, int64, int) (int, error) { return 0, syscall.ENOSPC }
	d.set(full)
	var pauses []time.Duration
	var pause time.Duration
	for range 7 {
		pause = p.again(t.Context(), pause)
		pauses = append(pauses, pause/o.retry)
	}
	if diff := cmp.Diff([]time.Duration{1, 2, 4, 8, 16, 20, 20}, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	d.set(nil)
	if pause = p.again(t.Context(), pause); pause != 0 {
		t.Errorf("pause of %v after a success", pause)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want one for the fault and one for its end:\n%s", n, log.String())
	}
}

func TestOutageIsLoggedOnce(t *testing.T) {
	d, o := faulty(t)
	var log strings.Builder
	o.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Error})
	o.retry = time.Nanosecond // each Append is an attempt
	j, _ := mustOpen(t, o)
	d.set(func(string, int64, int) (int, error) { return 0, syscall.EIO })
	for range 5 {
		if _, err := j.Append(t.Context(), Entry{}); !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
	}
	mustClose(t, j)
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
}

// Every directory that Open makes has a durable name.
func TestNewDirectoriesAreSynced(t *testing.T) {
	base := t.TempDir()
	o := fixed(filepath.Join(base, "data", "journal"))
	var synced []string
	o.syncDir = func(dir string) error {
		synced = append(synced, dir)
		return durable.SyncDir(dir)
	}
	j, _ := mustOpen(t, o)
	mustClose(t, j)
	want := []string{base, filepath.Join(base, "data"), o.Dir}
	if diff := cmp.Diff(want, synced); diff != "" {
		t.Errorf("synced directories (-want +got):\n%s", diff)
	}
	o.syncDir = func(string) error { return syscall.EIO }
	o.Dir = filepath.Join(base, "other")
	if _, _, err := Open(o); !errors.Is(err, syscall.EIO) {
		t.Errorf("Open: %v", err)
	}
}

// Unused segments are removed whatever characters the directory's name has.
func TestUnusedSegmentsAreRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[a-*?")
	for range 2 {
		j, _ := mustOpen(t, fixed(dir))
		left := filepath.Join(dir, fmt.Sprintf("%020d%s", 1, preparedSuffix))
		if err := os.WriteFile(left, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("unused segment: %v", err)
		}
	}
}
