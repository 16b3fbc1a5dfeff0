package journal

import (
	"fmt"
	"os"
	"testing"
)

// A trimmed journal that somebody alters is bad at the record where he did.
func TestTamperingOfATrimmedJournal(t *testing.T) {
	whole := fixed(t.TempDir())
	j := rows(t, whole, 6)
	mustTrim(t, j, 5) // segments 3 to 6 with records 5 to 12
	mustClose(t, j)
	flip := func(segment uint64, at int) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			editFile(t, segmentPath(dir, segment), func(b []byte) []byte { b[at] ^= 4; return b })
		}
	}
	remove := func(n uint64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(segmentPath(dir, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	rename := func(pairs ...uint64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for i := 0; i < len(pairs); i += 2 {
				if err := os.Rename(segmentPath(dir, pairs[i]), segmentPath(dir, pairs[i+1])); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	const record = headerSize + batchHeaderSize + recordHeaderSize
	tests := []struct {
		name    string
		tamper  func(*testing.T, string)
		segment uint64
		seq     uint64
	}{
		{"the chain before the oldest", flip(3, 80), 3, 5},
		{"the first record's number in the oldest header", flip(3, 40), 3, 5},
		{"the magic of the oldest", flip(3, 0), 3, 5},
		{"a bit of the first record", flip(3, record), 3, 5},
		{"a bit of the second", flip(3, record+sectorSize), 3, 6},
		{"a bit of the next header", flip(4, 80), 4, 7},
		{"a bit of a later record", flip(5, record), 5, 9},
		{"the oldest renamed", rename(3, 2), 2, 5},
		{"the two oldest swapped", rename(3, 9, 4, 3, 9, 4), 3, 5},
		{"all renamed", rename(3, 2, 4, 3, 5, 4, 6, 5), 2, 5},
		{"one in the middle missing", remove(4), 4, 7},
		{"the newest missing", remove(6), 5, 11},
		{"the oldest cut within its last batch", func(t *testing.T, dir string) {
			editFile(t, segmentPath(dir, 3), func(b []byte) []byte { return b[:headerSize+sectorSize+100] })
		}, 3, 6},
		{"a former segment put back in the wrong place", func(t *testing.T, dir string) {
			b, err := os.ReadFile(segmentPath(dir, 5))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(segmentPath(dir, 2), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 2, 5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := copyDir(t, whole.Dir)
			test.tamper(t, dir)
			_, err := Verify(dir)
			if c := wantCorruption(t, err, test.name); c.Segment != test.segment || c.Seq != test.seq {
				t.Errorf("%+v, want segment %d, record %d", c, test.segment, test.seq)
			}
		})
	}
	for at := range headerUsed { // every byte of the oldest header
		flip(3, at)(t, whole.Dir)
		_, err := Verify(whole.Dir)
		if c := wantCorruption(t, err, fmt.Sprint("byte ", at)); c.Segment != 3 || c.Seq != 5 {
			t.Fatalf("byte %d of the oldest header: %+v", at, c)
		}
		flip(3, at)(t, whole.Dir)
	}
}
