package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// disk is the real one with faults.
type disk struct {
	mu sync.Mutex
	// write, if set, sees each write first: n bytes of it are done if it
	// returns an error.
	write func(path string, off int64, size int) (n int, err error)
}

func (d *disk) set(write func(string, int64, int) (int, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write = write
}

func (d *disk) fault(path string, off int64, size int) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.write == nil {
		return size, nil
	}
	return d.write(path, off, size)
}

func (d *disk) open(path string, flag int, perm os.FileMode) (file, error) {
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: f, disk: d, reused: flag&os.O_CREATE == 0}, nil
}

type faultyFile struct {
	*os.File
	disk   *disk
	reused bool // a prepared file that becomes a segment
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	kind := "prepare"
	if f.reused {
		kind = "segment"
	}
	n, err := f.disk.fault(kind, off, len(b))
	if err == nil {
		return f.File.WriteAt(b, off)
	}
	if n > 0 {
		if _, err := f.File.WriteAt(b[:n], off); err != nil {
			return 0, err
		}
	}
	return n, err
}

func faulty(t *testing.T) (*disk, Options) {
	t.Helper()
	d := &disk{}
	o := fixed(t.TempDir())
	o.open = d.open
	return d, o
}

// A write that fails after some, none or all of its bytes leaves its segment;
// the batch is written once, in the next one.
func TestFailedWriteGoesToANewSegment(t *testing.T) {
	for _, written := range []int{0, 1, 64, 511, 512} {
		t.Run(fmt.Sprintf("%d bytes written", written), func(t *testing.T) {
			d, o := faulty(t)
			j, _ := mustOpen(t, o)
			mustAppend(t, j, "record 1")
			failed := false
			d.set(func(kind string, _ int64, _ int) (int, error) {
				if kind == "prepare" || failed {
					return 0, nil
				}
				failed = true
				return written, syscall.EIO
			})
			if seq := mustAppend(t, j, "record 2"); seq != 2 {
				t.Errorf("record 2 has number %d", seq)
			}
			if err := j.Healthy(); err != nil {
				t.Errorf("health: %v", err)
			}
			mustAppend(t, j, "record 3")
			live := mustVerify(t, o.Dir)
			mustClose(t, j)
			got, err := bodies(o.Dir, 1)
			if diff := cmp.Diff(numbered(3), got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if r := mustVerify(t, o.Dir); r.Segments != 2 || live.Head != r.Head {
				t.Errorf("report %+v, live %+v", r, live)
			}
		})
	}
}

func awaitHealth(t *testing.T, j *Journal, healthy bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if (j.Healthy() == nil) == healthy {
			return
		}
	}
	t.Fatalf("health stays %v", j.Healthy())
}

func TestDeadDiskMakesTheJournalUnavailable(t *testing.T) {
	d, o := faulty(t)
	j, _ := mustOpen(t, o)
	mustAppend(t, j, "record 1")
	d.set(func(kind string, _ int64, size int) (int, error) {
		if kind == "prepare" {
			return 0, nil
		}
		return size, syscall.EIO
	})
	for range 3 {
		_, err := j.Append(t.Context(), Entry{Body: []byte("lost")})
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, syscall.EIO) {
			t.Fatalf("Append: %v, want ErrUnavailable and EIO", err)
		}
		if err := j.Healthy(); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("health: %v", err)
		}
	}
	crashed := copyDir(t, o.Dir) // what a crash would leave now
	d.set(nil)
	awaitHealth(t, j, true) // by itself, without an Append
	if seq := mustAppend(t, j, "record 2"); seq != 2 {
		t.Errorf("record 2 has number %d", seq)
	}
	mustClose(t, j)
	got, err := bodies(o.Dir, 1)
	if diff := cmp.Diff(numbered(2), got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if r := mustVerify(t, crashed); r.First != 1 {
		t.Errorf("after a crash: %+v", r)
	}
}

func TestFullDiskStopsAndResumes(t *testing.T) {
	d, o := faulty(t)
	j, _ := mustOpen(t, o)
	full := func(kind string, _ int64, _ int) (int, error) {
		if kind == "prepare" {
			return 0, syscall.ENOSPC
		}
		return 0, nil
	}
	d.set(full)
	appended := 0
	var err error
	for appended < 1000 && err == nil {
		if _, err = j.Append(t.Context(), Entry{Body: []byte("record")}); err == nil {
			appended++
		}
	}
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) || appended < 10 {
		t.Fatalf("after %d records: %v, want ErrUnavailable and ENOSPC once the segments are full", appended, err)
	}
	for removed := false; !removed; time.Sleep(time.Millisecond) { // half a segment must not keep space on the full disk
		left, err := os.ReadDir(o.Dir)
		removed = err == nil && !strings.Contains(fmt.Sprint(left), preparedSuffix)
	}
	d.set(nil)
	awaitHealth(t, j, true)
	if seq := mustAppend(t, j, "on"); seq != uint64(appended)+1 {
		t.Errorf("after the fault: record %d, want %d", seq, appended+1)
	}
	mustClose(t, j)
	if r := mustVerify(t, o.Dir); r.Records != uint64(appended)+1 {
		t.Errorf("report %+v", r)
	}
}

// A process that ends while the disk is dead leaves a journal that opens.
func TestCloseOfAnUnavailableJournal(t *testing.T) {
	d, o := faulty(t)
	j, _ := mustOpen(t, o)
	mustAppend(t, j, "record 1")
	d.set(func(string, int64, int) (int, error) { return 0, syscall.EIO })
	if _, err := j.Append(t.Context(), Entry{}); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	mustClose(t, j)
	d.set(nil)
	mustVerify(t, o.Dir)
	_, found := mustOpen(t, o)
	if found.LastSeq != 1 || found.Clean {
		t.Errorf("recovery %+v", found)
	}
}

func TestOpenOnAFullDisk(t *testing.T) {
	d, o := faulty(t)
	d.set(func(string, int64, int) (int, error) { return 0, syscall.ENOSPC })
	if _, _, err := Open(o); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Open: %v", err)
	}
	d.set(nil)
	mustOpen(t, o)
}

// A caller that gives up gets its context's error at once, and its record is
// there all the same if the disk comes back.
func TestCallerThatGivesUp(t *testing.T) {
	d, o := faulty(t)
	o.stall = time.Millisecond
	j, _ := mustOpen(t, o)
	var once sync.Once
	writing, release := make(chan struct{}), make(chan struct{})
	d.set(func(kind string, _ int64, _ int) (int, error) {
		if kind == "segment" {
			once.Do(func() { close(writing) })
			<-release
		}
		return 0, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := j.Append(ctx, Entry{Body: []byte("record 1")})
		result <- err
	}()
	<-writing
	awaitHealth(t, j, false) // a disk that hangs is told from an idle one
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("Append: %v", err)
	}
	short, cancelShort := context.WithCancel(t.Context())
	cancelShort()
	if err := j.Close(short); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	close(release)
	mustClose(t, j)
	if r := mustVerify(t, o.Dir); r.Records != 1 || !r.Closed {
		t.Errorf("report %+v", r)
	}
}

func TestVerifyBesideAWriter(t *testing.T) {
	o := fixed(t.TempDir())
	o.SegmentSize, o.FirstSegmentSize = 64<<10, minSegmentSize
	j, _ := mustOpen(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				if _, err := j.Append(ctx, Entry{Kind: byte(w), Body: make([]byte, i%3000)}); err != nil {
					return
				}
			}
		})
	}
	var last uint64
	for range 60 {
		before := j.Head().Seq
		r, err := Verify(o.Dir)
		if err != nil || r.Last < before || r.Last < last {
			t.Errorf("head %d, report %+v, %v", before, r, err)
		}
		last = r.Last
	}
	cancel()
	wg.Wait()
	mustClose(t, j)
	mustVerify(t, o.Dir)
}
