package journal

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
)

// collect returns the bodies of records, and the error that ends them.
func collect(records func(func(Record, error) bool)) (list []string, err error) {
	for r, err := range records {
		if err != nil {
			return list, err
		}
		list = append(list, string(r.Body))
	}
	return list, nil
}

// drained yields what a Reader reads until there is no more.
func drained(j *Journal, from uint64) func(func(Record, error) bool) {
	return func(yield func(Record, error) bool) {
		r := j.Reader(from)
		defer r.Close()
		for {
			records, err := r.Next()
			if err != nil {
				yield(Record{}, err)
			}
			if len(records) == 0 {
				return
			}
			for _, record := range records {
				if !yield(record, nil) {
					return
				}
			}
		}
	}
}

// From the beginning is from the oldest record left; a record that was removed is an
// error that names it.
func TestReadersOfATrimmedJournal(t *testing.T) {
	o := fixed(t.TempDir())
	j := rows(t, o, 4)
	mustTrim(t, j, 5)
	left := numbered(8)[4:]
	ended, end := context.WithCancel(t.Context())
	end()
	tests := []struct {
		from uint64
		want []string
		err  error
	}{
		{0, left, nil}, {1, left, nil}, {2, nil, ErrTrimmed}, {4, nil, ErrTrimmed}, {5, left, nil}, {6, left[1:], nil}, {8, left[3:], nil}, {9, nil, nil}, {99, nil, nil},
	}
	for _, test := range tests {
		readers := map[string]func(func(Record, error) bool){
			"Scan": j.Scan(test.from), "Read": Read(o.Dir, test.from), "Follow": j.Follow(ended, test.from), "Reader": drained(j, test.from),
		}
		for name, records := range readers {
			want := test.err
			if name == "Follow" && want == nil {
				want = context.Canceled
			}
			got, err := collect(records)
			if !slices.Equal(got, test.want) || !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%s from %d: %q, %v; want %q, %v", name, test.from, got, err, test.want, want)
			}
			if errors.Is(err, ErrTrimmed) && !strings.Contains(err.Error(), "record 5 is the oldest") {
				t.Errorf("%s from %d: %v does not name the oldest record", name, test.from, err)
			}
		}
	}
	if starts := j.Starts(); !slices.Equal(starts, []uint64{5, 7}) {
		t.Errorf("segments begin with %d", starts)
	}
}

// A reader that is overtaken goes on to the end of the segment that it has open, and one that has
// read all that is removed misses nothing.
func TestTrimOvertakesReaders(t *testing.T) {
	type reader func(j *Journal, dir string) func(func(Record, error) bool)
	readers := map[string]reader{
		"Scan": func(j *Journal, _ string) func(func(Record, error) bool) { return j.Scan(1) },
		"Read": func(_ *Journal, dir string) func(func(Record, error) bool) { return Read(dir, 1) },
		"Follow": func(j *Journal, _ string) func(func(Record, error) bool) {
			return func(yield func(Record, error) bool) {
				for r, err := range j.Follow(context.Background(), 1) {
					if !yield(r, err) || r.Seq == 10 {
						return
					}
				}
			}
		},
	}
	tests := []struct {
		name   string
		at     string // the record at which it is trimmed
		before uint64
		want   int // records seen
		err    error
	}{
		{"two segments behind it", "record 5", 5, 10, nil},
		{"the one that it is in", "record 3", 5, 10, nil},
		{"the one that it is in, and two more", "record 3", 9, 4, ErrTrimmed},
	}
	for _, test := range tests {
		for name, read := range readers {
			o := fixed(t.TempDir())
			j := rows(t, o, 5)
			var seen []string
			var err error
			for r, readErr := range read(j, o.Dir) {
				if readErr != nil {
					err = readErr
					break
				}
				if seen = append(seen, string(r.Body)); seen[len(seen)-1] == test.at {
					mustTrim(t, j, test.before)
				}
			}
			if len(seen) != test.want || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
				t.Errorf("%s, %s: %q, %v; want %d records, %v", name, test.name, seen, err, test.want, test.err)
			}
		}
	}
}

// What a cut has opened stays readable; what it has not is an error.
func TestTrimOvertakesACut(t *testing.T) {
	j := rows(t, fixed(t.TempDir()), 3)
	c := j.Cut()
	r, err := c.Segments[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	mustTrim(t, j, 5)
	if b, err := io.ReadAll(r); err != nil || int64(len(b)) != c.Segments[0].Length {
		t.Errorf("%d bytes of %d, %v", len(b), c.Segments[0].Length, err)
	}
	if _, err := c.Segments[1].Open(); !errors.Is(err, ErrTrimmed) || !strings.Contains(err.Error(), "record 5") {
		t.Errorf("opening what was removed: %v", err)
	}
	later := j.Cut()
	if report := checkCut(t, later); report.Removed != 4 || report.FirstSegment != 3 || report.Head != later.Head.Hash {
		t.Errorf("report %+v of the cut at %+v", report, later.Head)
	}
	expectGoesOn(t, restoreCut(t, later), 6)
}

// Readers of every kind run beside a writer and Trim. Each sees records without a gap, to the
// end or to ErrTrimmed, and no corruption.
func TestReadersRaceWithTrim(t *testing.T) {
	o := fixed(t.TempDir())
	j, _ := mustOpen(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	follow := func(records func() func(func(Record, error) bool)) {
		readers.Go(func() {
			for ctx.Err() == nil {
				var last uint64
				for r, err := range records() {
					if err != nil && !errors.Is(err, ErrTrimmed) && ctx.Err() == nil {
						t.Error(err)
					}
					if err != nil {
						break
					}
					if last != 0 && r.Seq != last+1 {
						t.Errorf("record %d after %d", r.Seq, last)
					}
					last = r.Seq
				}
			}
		})
	}
	follow(func() func(func(Record, error) bool) { return j.Scan(0) })
	follow(func() func(func(Record, error) bool) { return drained(j, 0) })
	follow(func() func(func(Record, error) bool) { return j.Follow(ctx, 1) })
	follow(func() func(func(Record, error) bool) { return Read(o.Dir, 0) })
	follow(func() func(func(Record, error) bool) { return Read(o.Dir, j.First()) })
	readers.Go(func() {
		for ctx.Err() == nil {
			if _, err := Verify(o.Dir); err != nil {
				t.Error(err)
			}
		}
	})
	removed := 0
	for i := 0; removed < 10; i++ {
		mustAppend(t, j, strings.Repeat("x", 700))
		removed += mustTrim(t, j, j.Head().Seq-min(j.Head().Seq, 20)).Segments
	}
	cancel()
	readers.Wait()
}
