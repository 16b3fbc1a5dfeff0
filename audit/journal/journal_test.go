package journal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestBytesOnDisk(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, fixed(dir))
	mustAppend(t, j, "first", "second")
	mustAppend(t, j, "")
	mustClose(t, j)
	j, _ = mustOpen(t, fixed(dir))
	mustAppend(t, j, "after a restart")
	mustClose(t, j)

	for _, path := range segmentFiles(t, dir) {
		golden := filepath.Join("testdata", filepath.Base(path))
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", golden, diff)
		}
	}
}

func TestAppendedRecordsAreRead(t *testing.T) {
	dir := t.TempDir()
	j, found := mustOpen(t, fixed(dir))
	if !found.New || !found.Clean || found.LastSeq != 0 {
		t.Errorf("recovery of an empty directory = %+v", found)
	}
	if first := mustAppend(t, j, "record 1", "record 2"); first != 1 {
		t.Errorf("first record has number %d", first)
	}
	if first := mustAppend(t, j, "record 3"); first != 3 {
		t.Errorf("third record has number %d", first)
	}
	var live []string
	for r, err := range j.Scan(2) {
		if err != nil {
			t.Fatal(err)
		}
		live = append(live, fmt.Sprintf("%d %d %s", r.Seq, r.Kind, r.Body))
	}
	if diff := cmp.Diff([]string{"2 7 record 2", "3 7 record 3"}, live); diff != "" {
		t.Errorf("Scan(2) (-want +got):\n%s", diff)
	}
	head := j.Head()
	if r := mustVerify(t, dir); r.Last != 3 || r.Head != head.Hash || head.Seq != 3 || r.Closed {
		t.Errorf("head %+v, report of the live journal %+v", head, r)
	}
	mustClose(t, j)
	if r := mustVerify(t, dir); r.Head != head.Hash || !r.Closed || r.Records != 3 {
		t.Errorf("head %+v, report of the closed journal %+v", head, r)
	}
	got, err := bodies(dir, 1)
	if diff := cmp.Diff(numbered(3), got); diff != "" || err != nil {
		t.Errorf("Read(1): %v (-want +got):\n%s", err, diff)
	}
}

func TestChainGoesOnAcrossSegmentsAndRestarts(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for run := range 4 {
		j, found := mustOpen(t, fixed(dir))
		if found.LastSeq != uint64(len(want)) || !found.Clean || found.New != (run == 0) {
			t.Fatalf("run %d: recovery %+v after %d records", run, found, len(want))
		}
		if run > 0 && found.Head == (Hash{}) {
			t.Fatalf("run %d: no head", run)
		}
		for range 40 { // more than a segment holds
			want = append(want, "record "+strconv.Itoa(len(want)+1))
			mustAppend(t, j, want[len(want)-1])
		}
		mustClose(t, j)
	}
	got, err := bodies(dir, 1)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Read(1): %v (-want +got):\n%s", err, diff)
	}
	if got, _ := bodies(dir, 100); len(got) != 61 {
		t.Errorf("Read(100) yields %d records", len(got))
	}
	r := mustVerify(t, dir)
	if r.Segments < 12 || r.Records != 160 || r.First != 1 || r.Last != 160 {
		t.Errorf("report %+v", r)
	}
}

func TestWritersShareBatches(t *testing.T) {
	const writers, each = 64, 50
	dir := t.TempDir()
	o := fixed(dir)
	o.SegmentSize, o.FirstSegmentSize = 1<<20, 1<<20
	j, _ := mustOpen(t, o)
	acked := make([]map[uint64]string, writers)
	var wg sync.WaitGroup
	for w := range writers {
		acked[w] = make(map[uint64]string)
		wg.Go(func() {
			for i := range each {
				body := fmt.Sprintf("writer %d record %d", w, i)
				seq, err := j.Append(t.Context(), Entry{Body: []byte(body)}, Entry{Body: []byte("second of " + body)})
				if err != nil {
					t.Error(err)
					return
				}
				acked[w][seq] = body
			}
		})
	}
	wg.Wait()
	mustClose(t, j)
	all, err := bodies(dir, 1)
	if err != nil || len(all) != 2*writers*each {
		t.Fatalf("%d records, %v", len(all), err)
	}
	for _, m := range acked {
		for seq, body := range m {
			if all[seq-1] != body || all[seq] != "second of "+body {
				t.Errorf("record %d is %q, then %q, want %q", seq, all[seq-1], all[seq], body)
			}
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	j, _ := mustOpen(t, fixed(t.TempDir()))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx  context.Context
		body []Entry
		want error
	}{
		"an entry that fits no batch": {t.Context(), []Entry{{Body: make([]byte, minSegmentSize)}}, ErrTooLarge},
		"a context that has ended":    {cancelled, []Entry{{}}, context.Canceled},
	}
	for name, tt := range tests {
		if _, err := j.Append(tt.ctx, tt.body...); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := j.Append(t.Context()); err == nil {
		t.Error("no entries: no error")
	}
	mustClose(t, j)
	if _, err := j.Append(t.Context(), Entry{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := j.Healthy(); !errors.Is(err, ErrClosed) {
		t.Errorf("health after Close: %v", err)
	}
}

func TestDirectoryIsOpenedOnce(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, fixed(dir))
	_, _, err := Open(fixed(dir))
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("second Open: %v, want ErrInUse naming process %d", err, os.Getpid())
	}
	mustClose(t, j)
	mustOpen(t, fixed(dir))
}

func TestOpenRefusesBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no directory":      {},
		"a tiny segment":    {Dir: t.TempDir(), SegmentSize: 100},
		"a giant segment":   {Dir: t.TempDir(), SegmentSize: 1 << 40},
		"a file for a path": {Dir: os.Args[0]},
	} {
		if _, _, err := Open(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAppendsRaceClose(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, fixed(dir))
	var wg sync.WaitGroup
	acked := make([]int, 8)
	started := make(chan struct{}, len(acked))
	for w := range acked {
		wg.Go(func() {
			for {
				_, err := j.Append(t.Context(), Entry{Body: []byte("x")})
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if acked[w]++; acked[w] == 1 {
					started <- struct{}{}
				}
			}
		})
	}
	for range acked {
		<-started
	}
	mustClose(t, j)
	wg.Wait()
	sum := 0
	for _, n := range acked {
		sum += n
	}
	if r := mustVerify(t, dir); int(r.Records) != sum || !r.Closed {
		t.Errorf("%d records acknowledged, report %+v", sum, r)
	}
}

func TestFollowSeesRecordsAsTheyCome(t *testing.T) {
	j, _ := mustOpen(t, fixed(t.TempDir()))
	mustAppend(t, j, "record 1", "record 2")
	next, stopped := make(chan string), make(chan error)
	go func() {
		defer close(next)
		for r, err := range j.Follow(t.Context(), 2) {
			if err != nil {
				stopped <- err
				return
			}
			next <- string(r.Body)
		}
	}()
	if got := <-next; got != "record 2" {
		t.Errorf("first followed record is %q", got)
	}
	for i := 3; i < 100; i++ { // over several segments
		want := "record " + strconv.Itoa(i)
		mustAppend(t, j, want)
		if got := <-next; got != want {
			t.Fatalf("followed %q, want %q", got, want)
		}
	}
	mustClose(t, j)
	if err := <-stopped; !errors.Is(err, ErrClosed) {
		t.Errorf("Follow ended with %v", err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	j, _ := mustOpen(t, fixed(t.TempDir()))
	mustAppend(t, j, "record 1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range j.Follow(ctx, 1) {
		n, last = n+1, err
		cancel()
	}
	if n != 2 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d iterations, last error %v", n, last)
	}
	for _, err := range j.Follow(t.Context(), 1) {
		if err != nil {
			t.Error(err)
		}
		break // must not wait or yield again
	}
}

// counter is a State that needs every record exactly once.
type counter struct {
	n, checkpoints int
	width          int // of a checkpoint, in bytes
}

func (c *counter) Observe(r Record) (err error) {
	switch {
	case r.Kind == 1:
		c.n, err = strconv.Atoi(strings.TrimSpace(string(r.Body)))
	case string(r.Body) == "refused":
		err = errRefused
	default:
		c.n++
	}
	return err
}

func (c *counter) Checkpoint() ([]Entry, error) {
	c.checkpoints++
	return []Entry{{Kind: 1, Body: fmt.Appendf(nil, "%*d", c.width, c.n)}}, nil
}

var errRefused = errors.New("record is refused")

func TestStateIsRestoredFromTheNewestSegment(t *testing.T) {
	dir := t.TempDir()
	total := 0
	for _, appends := range []int{0, 3, 100, 0, 0, 1} {
		state := &counter{}
		o := fixed(dir)
		o.State = state
		j, _ := mustOpen(t, o)
		if state.n != total {
			t.Fatalf("restored count is %d, want %d", state.n, total)
		}
		for range appends {
			mustAppend(t, j, "one")
			if total++; state.n != total {
				t.Fatalf("count is %d when record %d is acknowledged", state.n, total)
			}
		}
		mustClose(t, j)
		if appends == 100 && state.checkpoints < 5 {
			t.Errorf("%d checkpoints in 100 appends", state.checkpoints)
		}
	}
}
