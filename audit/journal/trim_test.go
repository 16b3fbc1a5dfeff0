package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rows makes a journal with so many segments of two records each, and leaves it open.
func rows(t *testing.T, o Options, segments int) *Journal {
	t.Helper()
	for n := 1; ; n++ {
		j, _ := mustOpen(t, o)
		mustAppend(t, j, fmt.Sprintf("record %d", 2*n-1))
		mustAppend(t, j, fmt.Sprintf("record %d", 2*n))
		if n == segments {
			return j
		}
		mustClose(t, j)
	}
}

func mustTrim(t *testing.T, j *Journal, before uint64) Trimmed {
	t.Helper()
	trimmed, err := j.Trim(before, nil)
	if err != nil {
		t.Fatal(err)
	}
	return trimmed
}

// Whole segments go, as far as all of their records are before the number; the newest
// record's segment stays.
func TestTrimRemovesWholeSegments(t *testing.T) {
	o := fixed(t.TempDir())
	j := rows(t, o, 4)
	size := j.Size()
	tests := []struct {
		before  uint64
		removed int
		first   uint64
	}{{0, 0, 1}, {1, 0, 1}, {2, 0, 1}, {3, 1, 3}, {3, 0, 3}, {4, 0, 3}, {6, 1, 5}, {1 << 60, 1, 7}, {1 << 60, 0, 7}}
	for _, test := range tests {
		got := mustTrim(t, j, test.before)
		if got.Segments != test.removed || got.First != test.first || j.First() != test.first || (got.Bytes > 0) != (test.removed > 0) {
			t.Errorf("before record %d: %+v, first record %d; want %d segments removed and record %d first", test.before, got, j.First(), test.removed, test.first)
		}
		size -= got.Bytes
		if j.Size() != size {
			t.Errorf("before record %d: size %d, want %d", test.before, j.Size(), size)
		}
		r := mustVerify(t, o.Dir)
		if r.First != test.first || r.Removed != test.first-1 || r.Last != 8 || r.FirstSegment != j.Segments()[0].Number || r.Head != j.Head().Hash {
			t.Errorf("before record %d: report %+v", test.before, r)
		}
	}
	mustAppend(t, j, "record 9")
	mustClose(t, j)
	if _, err := j.Trim(1<<60, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("trimming a closed journal: %v", err)
	}
	expectGoesOn(t, o.Dir, 9)
}

// A segment without a record may be the newest: the state is in one before it.
func TestTrimKeepsTheNewestRecord(t *testing.T) {
	o := fixed(t.TempDir())
	mustClose(t, rows(t, o, 2))
	for range 3 {
		j, _ := mustOpen(t, o) // writes nothing
		mustClose(t, j)
	}
	j, _ := mustOpen(t, o)
	if got := mustTrim(t, j, 1<<60); got.Segments != 1 || got.First != 3 {
		t.Errorf("trimmed %+v", got)
	}
	mustAppend(t, j, "record 5")
	if got := mustTrim(t, j, 1<<60); got.Segments != 4 || got.First != 5 {
		t.Errorf("trimmed %+v", got)
	}
}

// The journal that is left is the end of the one that was, byte for byte.
func TestGoldenTrimmed(t *testing.T) {
	dir := t.TempDir()
	const second = "00000000000000000002.journal"
	b, err := os.ReadFile(filepath.Join("testdata", second))
	if err != nil {
		t.Fatal(err)
	}
	whole := mustVerify(t, "testdata")
	if err := os.WriteFile(filepath.Join(dir, second), b, 0o600); err != nil {
		t.Fatal(err)
	}
	got := mustVerify(t, dir)
	want := whole
	want.FirstSegment, want.Segments, want.Removed = 2, 1, whole.Records-got.Records
	want.First, want.Records, want.FirstTime = want.Removed+1, got.Records, got.FirstTime
	if diff := cmp.Diff(want, got); diff != "" || got.Records == 0 || got.Removed == 0 {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	expectGoesOn(t, dir, whole.Last)
}

// What announce says decides: nothing is removed before it has returned nil, and then
// exactly what it was told.
func TestTrimAnnounces(t *testing.T) {
	o := fixed(t.TempDir())
	j := rows(t, o, 3)
	refused := errors.New("refused")
	if _, err := j.Trim(5, func(Segment) error { return refused }); !errors.Is(err, refused) || j.First() != 1 {
		t.Errorf("%v, first record %d", err, j.First())
	}
	told := 0
	got, err := j.Trim(5, func(oldest Segment) error {
		told++
		if oldest.Number != 3 || oldest.First != 5 || len(segmentFiles(t, o.Dir)) != 3 {
			t.Errorf("told of %+v while there are %q", oldest, segmentFiles(t, o.Dir))
		}
		for range 8 { // into another segment
			mustAppend(t, j, strings.Repeat("more", 300))
		}
		return nil
	})
	if err != nil || told != 1 || got.First != 5 {
		t.Errorf("trimmed %+v, %v, told %d times", got, err, told)
	}
	if _, err := j.Trim(5, func(Segment) error { t.Error("told of nothing"); return nil }); err != nil {
		t.Error(err)
	}
}
