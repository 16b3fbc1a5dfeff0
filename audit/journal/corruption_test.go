package journal

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// smallJournal makes a closed journal of several segments, with restarts.
func smallJournal(t *testing.T) (dir string, records int) {
	t.Helper()
	dir = t.TempDir()
	for run := range 2 {
		j, _ := mustOpen(t, fixed(dir))
		mustAppend(t, j, fmt.Sprintf("record of run %d", run), "")
		mustClose(t, j)
	}
	return dir, 4
}

// killed makes a journal as a crash leaves it: a segment with its zero fill.
func killed(t *testing.T, appends int) (dir string) {
	t.Helper()
	live := t.TempDir()
	j, _ := mustOpen(t, fixed(live))
	for i := range appends {
		mustAppend(t, j, fmt.Sprintf("record %d", i+1))
	}
	return copyDir(t, live)
}

func wantCorruption(t *testing.T, err error, what string) Corruption {
	t.Helper()
	var c *Corruption
	if !errors.As(err, &c) {
		t.Errorf("%s: error is %v, want a Corruption", what, err)
		return Corruption{}
	}
	return *c
}

func TestFlippedBitsAreFound(t *testing.T) {
	t.Parallel()
	dir, records := smallJournal(t)
	for i, path := range segmentFiles(t, dir) {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * len(whole) {
			if whole[bit/8] == 0 && bit%8 != bit/8%8 {
				continue // of zeros, one bit will do
			}
			at, flipped := int64(bit/8), whole[bit/8]^1<<(bit%8)
			if _, err := f.WriteAt([]byte{flipped}, at); err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprintf("segment %d, byte %d, bit %d", i+1, at, bit%8)
			report, err := Verify(dir)
			c := wantCorruption(t, err, what)
			// A header is also where the segment before ends.
			if c.Segment != uint64(i+1) && at >= headerSize || c.Seq != report.Last+1 || report.Records >= uint64(records) && at < headerSize {
				t.Errorf("%s: reported as %+v after %d records", what, c, report.Records)
			}
			if _, err := f.WriteAt(whole[at:at+1], at); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mustVerify(t, dir)
}

func TestEveryTruncationOfAClosedJournalIsFound(t *testing.T) {
	t.Parallel()
	dir, _ := smallJournal(t)
	last := slices.Max(segmentFiles(t, dir))
	info, err := os.Stat(last)
	if err != nil {
		t.Fatal(err)
	}
	for size := info.Size() - 1; size >= 0; size-- {
		if err := os.Truncate(last, size); err != nil {
			t.Fatal(err)
		}
		_, err := Verify(dir)
		wantCorruption(t, err, fmt.Sprintf("Verify of %d bytes", size))
		if size%16 != 0 {
			continue
		}
		_, _, err = Open(fixed(dir))
		wantCorruption(t, err, fmt.Sprintf("Open of %d bytes", size))
	}
}

// A crash leaves any part of the last write undone. The earlier records stay.
func TestEveryTornWriteIsCutOff(t *testing.T) {
	t.Parallel()
	const before = headerSize + 2*sectorSize // two batches of a sector
	dir := killed(t, 3)
	whole, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	for size := range sectorSize {
		torn := slices.Clone(whole)
		clear(torn[before+size : before+sectorSize])
		editFile(t, segmentPath(dir, 1), func([]byte) []byte { return torn })
		r := mustVerify(t, dir)
		if r.Records < 2 || (r.Torn != nil) != (r.Records == 2 && size > 0) {
			t.Errorf("%d bytes of the last batch: report %+v", size, r)
		}
		if size%61 != 0 { // opening syncs the disk, so only some are opened
			continue
		}
		opened := copyDir(t, dir)
		j, found := mustOpen(t, fixed(opened))
		if found.LastSeq != r.Last || found.Clean || (found.Torn == nil) != (r.Torn == nil) {
			t.Errorf("%d bytes of the last batch: recovery %+v, report %+v", size, found, r)
		}
		mustAppend(t, j, "on")
		mustClose(t, j)
		mustVerify(t, opened)
	}
}

// Pages of one write may reach the disk in any order.
func TestTornWriteOfManyPages(t *testing.T) {
	live := t.TempDir()
	j, _ := mustOpen(t, fixed(live))
	mustAppend(t, j, "record 1")
	mustAppend(t, j, string(make([]byte, 2400)))
	whole := copyDir(t, live)
	for missing := range 5 { // the batch has five sectors
		dir := copyDir(t, whole)
		editFile(t, segmentPath(dir, 1), func(b []byte) []byte {
			clear(b[headerSize+(missing+1)*sectorSize:][:sectorSize])
			return b
		})
		r, err := Verify(dir)
		if sector := missing; err != nil || (r.Records == 1) != (sector == 0 || sector == 4 || r.Torn != nil) {
			t.Errorf("sector %d missing: %+v, %v", missing, r, err)
		}
		_, found := mustOpen(t, fixed(dir))
		if found.LastSeq != r.Last {
			t.Errorf("sector %d missing: Open finds %d records, Verify %d", missing, found.LastSeq, r.Last)
		}
	}
}

func TestTamperingOfACrashedJournal(t *testing.T) {
	const batch = headerSize // each batch fills one sector
	tests := []struct {
		name   string
		edit   func([]byte) []byte
		seq    uint64
		offset int64
	}{
		{"a batch altered before a whole one", func(b []byte) []byte { b[batch+100] ^= 1; return b }, 1, batch},
		{"a batch zeroed before a whole one", func(b []byte) []byte { clear(b[batch+sectorSize:][:sectorSize]); return b }, 2, batch + sectorSize},
		{"two batches swapped", func(b []byte) []byte {
			first := slices.Clone(b[batch : batch+sectorSize])
			copy(b[batch:], b[batch+sectorSize:batch+2*sectorSize])
			copy(b[batch+sectorSize:], first)
			return b
		}, 1, batch},
		{"a batch repeated", func(b []byte) []byte {
			copy(b[batch+3*sectorSize:], b[batch:batch+sectorSize])
			return b
		}, 4, batch + 3*sectorSize},
		{"zero fill cut off", func(b []byte) []byte { return b[:batch+3*sectorSize] }, 4, batch + 3*sectorSize},
	}
	whole := killed(t, 3)
	for _, tt := range tests {
		dir := copyDir(t, whole)
		editFile(t, segmentPath(dir, 1), tt.edit)
		_, err := Verify(dir)
		if c := wantCorruption(t, err, tt.name); c.Seq != tt.seq || c.Offset != tt.offset || c.Segment != 1 {
			t.Errorf("%s: %+v, want record %d at %d", tt.name, c, tt.seq, tt.offset)
		}
		_, _, err = Open(fixed(dir))
		wantCorruption(t, err, "Open: "+tt.name)
	}
}

// The zero fill behind the last record of a crashed journal belongs to no
// record. What is written there looks like a torn write and is reported as one.
func TestBytesInTheZeroFillAreReported(t *testing.T) {
	t.Parallel()
	whole := killed(t, 2)
	for at := headerSize + 2*sectorSize; at < minSegmentSize; at += 97 {
		dir := copyDir(t, whole)
		editFile(t, segmentPath(dir, 1), func(b []byte) []byte { b[at] = 1; return b })
		r := mustVerify(t, dir)
		if r.Torn == nil || r.Records != 2 || r.Torn.Offset+r.Torn.Bytes != int64(at)+1 {
			t.Errorf("byte %d: report %+v, torn %+v", at, r, r.Torn)
		}
	}
}

func TestMovedSegmentsAreFound(t *testing.T) {
	dir := t.TempDir()
	for range 4 {
		j, _ := mustOpen(t, fixed(dir))
		mustAppend(t, j, "record")
		mustClose(t, j)
	}
	rename := func(from, to uint64) func(string) error {
		return func(dir string) error { return os.Rename(segmentPath(dir, from), segmentPath(dir, to)) }
	}
	duplicate := func(from, to uint64) func(string) error {
		return func(dir string) error {
			b, err := os.ReadFile(segmentPath(dir, from))
			if err != nil {
				return err
			}
			return os.WriteFile(segmentPath(dir, to), b, 0o600)
		}
	}
	remove := func(n uint64) func(string) error {
		return func(dir string) error { return os.Remove(segmentPath(dir, n)) }
	}
	foreign := func(dir string) error {
		other := t.TempDir()
		o := fixed(other)
		o.newID = randomID
		j, _ := mustOpen(t, o)
		mustClose(t, j)
		return os.CopyFS(dir, os.DirFS(other))
	}
	tests := []struct {
		name    string
		do      []func(string) error
		segment uint64
		seq     uint64
	}{
		{"middle dropped", []func(string) error{remove(3)}, 3, 3},
		{"last dropped", []func(string) error{remove(4)}, 3, 4},
		{"middle dropped, later ones renumbered", []func(string) error{rename(3, 2), rename(4, 3)}, 2, 2},
		{"two swapped", []func(string) error{rename(2, 9), rename(3, 2), rename(9, 3)}, 2, 2},
		{"last one again as another", []func(string) error{duplicate(4, 5)}, 5, 5},
		{"one in place of another", []func(string) error{duplicate(2, 3)}, 3, 3},
		{"segment of another journal", []func(string) error{remove(1), foreign}, 1, 1},
	}
	for _, tt := range tests {
		moved := copyDir(t, dir)
		if err := os.Remove(moved + "/" + lockName); err != nil {
			t.Fatal(err)
		}
		for _, do := range tt.do {
			if err := do(moved); err != nil && !errors.Is(err, os.ErrExist) {
				t.Fatal(err)
			}
		}
		_, err := Verify(moved)
		if c := wantCorruption(t, err, tt.name); c.Segment != tt.segment || c.Seq != tt.seq {
			t.Errorf("%s: %+v, want segment %d, record %d", tt.name, c, tt.segment, tt.seq)
		}
		_, _, err = Open(fixed(moved))
		wantCorruption(t, err, "Open: "+tt.name)
	}
}

func TestVerifyOfNoJournal(t *testing.T) {
	if _, err := Verify(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty directory: %v", err)
	}
}

// A length that no writer writes does not make a reader take that much memory.
func TestBatchLengthIsBounded(t *testing.T) {
	b := make([]byte, batchHeaderSize)
	completeBatch(b, batchSeal, 0, 1, time.Time{}, Hash{})
	for length, good := range map[uint32]bool{0: true, maxBatchSize - batchHeaderSize: true, maxBatchSize: false, 1<<32 - 1: false} {
		b[8], b[9], b[10], b[11] = byte(length), byte(length>>8), byte(length>>16), byte(length>>24)
		if _, err := decodeBatchHeader(b, maxSegmentSize); (err == nil) != good {
			t.Errorf("length %d: %v", length, err)
		}
	}
}

// FuzzVerify puts any bytes behind a good segment header.
func FuzzVerify(f *testing.F) {
	whole, err := os.ReadFile("testdata/00000000000000000001.journal")
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	f.Add(whole[headerSize:])
	f.Add(whole[headerSize : headerSize+sectorSize])
	f.Fuzz(func(t *testing.T, batches []byte) {
		segment := make([]byte, minSegmentSize)
		copy(segment, whole[:headerSize])
		copy(segment[headerSize:], batches)
		if err := os.WriteFile(segmentPath(dir, 1), segment, 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Verify(dir)
		got, readErr := bodies(dir, 1)
		if (readErr == nil) != (err == nil) || uint64(len(got)) != report.Records {
			t.Errorf("Verify: %d records, %v; Read: %d records, %v", report.Records, err, len(got), readErr)
		}
	})
}

// FuzzRecords parses the inside of a batch whose checksum nobody looked at.
func FuzzRecords(f *testing.F) {
	whole, err := os.ReadFile("testdata/00000000000000000001.journal")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[headerSize : headerSize+sectorSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < batchHeaderSize {
			return
		}
		h, err := decodeBatchHeader(b, int64(len(b)))
		if err != nil {
			return
		}
		seen := 0
		_, err = eachRecord(b, h, func(Record) error {
			seen++
			return nil
		})
		if err == nil && seen != h.count {
			t.Errorf("%d records, header says %d", seen, h.count)
		}
	})
}
