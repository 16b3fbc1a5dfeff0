package journal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Cuts are taken beside writers, on a disk that fails now and then; each one is
// read after more was written, and is a journal of its own.
func TestCutBesideWriters(t *testing.T) {
	d, o := faulty(t)
	writes := 0
	d.set(func(kind string, _ int64, size int) (int, error) {
		if kind == "segment" {
			writes++
		}
		if kind == "segment" && writes%7 == 0 {
			return size / 2, syscall.EIO
		}
		return size, nil
	})
	j, _ := mustOpen(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				_, _ = j.Append(ctx, Entry{Kind: 7, Body: bytes.Repeat([]byte("x"), 300)}) // refused at times
			}
		})
	}
	var cuts []Cut
	for len(cuts) < 20 {
		mustAppend(t, j, "more")
		cuts = append(cuts, j.Cut())
	}
	cancel()
	writers.Wait()
	d.set(nil)
	for _, c := range cuts {
		report := checkCut(t, c)
		if report.Last != c.Head.Seq || report.Head != c.Head.Hash || report.Journal != c.Journal {
			t.Fatalf("report %+v of the cut at %+v", report, c.Head)
		}
	}
	last := cuts[len(cuts)-1]
	if last.Head.Seq < 20 || len(last.Segments) < 2 {
		t.Errorf("the last cut is at record %d in %d segments: too little to test", last.Head.Seq, len(last.Segments))
	}
	restored := restoreCut(t, last)
	report := mustVerify(t, restored)
	if report.Last != last.Head.Seq || report.Head != last.Head.Hash {
		t.Errorf("report %+v of what was restored of the cut at %+v", report, last.Head)
	}
	expectGoesOn(t, restored, last.Head.Seq)
}

// expectGoesOn expects that a journal opens where it ended and can be written.
func expectGoesOn(t *testing.T, dir string, seq uint64) {
	t.Helper()
	j, found := mustOpen(t, fixed(dir))
	if found.LastSeq != seq || found.Torn != nil {
		t.Errorf("recovery %+v, want record %d", found, seq)
	}
	if next := mustAppend(t, j, "next"); next != seq+1 {
		t.Errorf("the next record is %d, want %d", next, seq+1)
	}
	mustClose(t, j)
	mustVerify(t, dir)
}

// A cut at a moment without records, or right after a restart, restores as well.
func TestCutOfFewRecords(t *testing.T) {
	for _, records := range []int{0, 1} {
		dir := t.TempDir()
		for range 2 {
			j, _ := mustOpen(t, fixed(dir))
			for range records {
				mustAppend(t, j, "record")
			}
			c := j.Cut()
			report := checkCut(t, c)
			if report.Head != c.Head.Hash || report.Records != c.Head.Seq {
				t.Errorf("report %+v of the cut at %+v", report, c.Head)
			}
			expectGoesOn(t, restoreCut(t, c), c.Head.Seq)
			mustClose(t, j)
		}
	}
}

func TestCheckerNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		j, _ := mustOpen(t, fixed(dir))
		mustAppend(t, j, "record", "another")
		mustClose(t, j)
	}
	j, _ := mustOpen(t, fixed(dir))
	var good [][]byte
	for _, s := range j.Cut().Segments {
		good = append(good, readCut(t, s))
	}
	flip := func(n, at int) func([][]byte) {
		return func(s [][]byte) { s[n][at] ^= 1 }
	}
	tests := map[string]struct {
		damage func([][]byte)
		says   string
	}{
		"nothing":               {func([][]byte) {}, ""},
		"a bit of a header":     {flip(1, 70), "hash"},
		"a bit of a record":     {flip(1, headerSize+batchHeaderSize+30), "batch"},
		"a bit of the padding":  {flip(1, len(good[1])-1), "padding"},
		"a segment cut short":   {func(s [][]byte) { s[1] = s[1][:headerSize] }, "does not end where"},
		"a batch cut short":     {func(s [][]byte) { s[1] = s[1][:len(s[1])-sectorSize/2] }, "longer than its segment"},
		"a header cut short":    {func(s [][]byte) { s[0] = s[0][:headerSize/2] }, "journal"},
		"two segments swapped":  {func(s [][]byte) { s[1], s[2] = s[2], s[1] }, "in the place of"},
		"the first one missing": {func(s [][]byte) { s[0] = s[1] }, "in the place of"},
		"another journal's": {func(s [][]byte) {
			o := fixed(t.TempDir())
			o.newID = func() ID { return ID([]byte("another-id-16byt")) }
			other, _ := mustOpen(t, o)
			s[0] = readCut(t, other.Cut().Segments[0])
		}, "does not"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var segments [][]byte
			for _, s := range good {
				segments = append(segments, bytes.Clone(s))
			}
			test.damage(segments)
			var c Checker
			var err error
			for i, s := range segments {
				if err == nil {
					err = c.Segment(uint64(i)+1, int64(len(s)), bytes.NewReader(s))
				}
			}
			var bad *Corruption
			switch {
			case test.says == "" && err != nil:
				t.Error(err)
			case test.says != "" && (!errors.As(err, &bad) || !strings.Contains(err.Error(), test.says)):
				t.Errorf("%v, want a *Corruption that says %q", err, test.says)
			}
		})
	}
}

// A file that has become shorter than its cut is told from a good end.
func TestCutOfAFileThatShrank(t *testing.T) {
	o := fixed(t.TempDir())
	j, _ := mustOpen(t, o)
	mustAppend(t, j, "record")
	c := j.Cut()
	if err := os.Truncate(segmentFiles(t, o.Dir)[0], headerSize); err != nil {
		t.Fatal(err)
	}
	r, err := c.Segments[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := io.ReadAll(r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading: %v, want io.ErrUnexpectedEOF", err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := CompleteRestore(dir); err == nil {
		t.Error("a journal without a segment was completed")
	}
	restoreSegment(t, dir, 1, []byte("no segment"))
	if _, err := RestoreSegment(dir, 1); !errors.Is(err, os.ErrExist) {
		t.Errorf("restoring over a file: %v", err)
	}
	var bad *Corruption
	if err := CompleteRestore(dir); !errors.As(err, &bad) {
		t.Errorf("completing a journal whose segment has no header: %v, want a *Corruption", err)
	}
}

func TestLock(t *testing.T) {
	o := fixed(filepath.Join(t.TempDir(), "journal"))
	j, _ := mustOpen(t, o)
	if _, err := Lock(o.Dir); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "process") {
		t.Errorf("Lock of an open journal: %v, want ErrInUse and the process", err)
	}
	mustClose(t, j)
	lock, err := Lock(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	moved := o.Dir + ".moved"
	if err := os.Rename(o.Dir, moved); err != nil {
		t.Fatal(err)
	}
	o.Dir = moved
	if _, _, err := Open(o); !errors.Is(err, ErrInUse) {
		t.Errorf("Open of a locked journal: %v, want ErrInUse", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, o)
}

func readCut(t *testing.T, s SegmentCut) []byte {
	t.Helper()
	r, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || int64(len(b)) != s.Length {
		t.Fatalf("segment %d has %d bytes of %d, %v", s.Number, len(b), s.Length, err)
	}
	return b
}

func checkCut(t *testing.T, c Cut) Report {
	t.Helper()
	var seqs []uint64
	check := Checker{Visit: func(r Record) error {
		seqs = append(seqs, r.Seq)
		return nil
	}}
	for _, s := range c.Segments {
		if err := check.Segment(s.Number, s.Length, bytes.NewReader(readCut(t, s))); err != nil {
			t.Fatal(err)
		}
	}
	report := check.Report()
	if diff := cmp.Diff(int(report.Records), len(seqs)); diff != "" {
		t.Errorf("records counted and seen: %s", diff)
	}
	return report
}

func restoreCut(t *testing.T, c Cut) string {
	t.Helper()
	dir := t.TempDir()
	for _, s := range c.Segments {
		restoreSegment(t, dir, s.Number, readCut(t, s))
	}
	if err := CompleteRestore(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func restoreSegment(t *testing.T, dir string, number uint64, content []byte) {
	t.Helper()
	w, err := RestoreSegment(dir, number)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(content)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
}
