package audit

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// tampering is something that is done to a copy of a data directory.
type tampering struct {
	name string
	// do returns what both verifiers have to name: a record's number or a file.
	do func(t *testing.T, c *copied) any
}

// journalTamperings are done to the journal by somebody who does not make its chain anew;
// the journal alone shows them.
var journalTamperings = []tampering{
	{"a bit of a record's body is flipped", flipIn(func(_ batch, r record) int { return r.at + recordHeader + 9 }, false)},
	{"the same, and the checksum made right", flipIn(func(_ batch, r record) int { return r.at + recordHeader + 9 }, true)},
	{"a bit of a record's time is flipped", flipIn(func(_ batch, r record) int { return r.at + 16 }, true)},
	{"a bit of a record's hash is flipped", flipIn(func(_ batch, r record) int { return r.end - 5 }, true)},
	{"a record is given another number", flipIn(func(_ batch, r record) int { return r.at + 8 }, true)},
	{"a record is made longer", flipIn(func(_ batch, r record) int { return r.at }, true)},
	{"a bit of a batch's checksum is flipped", flipIn(func(b batch, _ record) int { return b.at + 28 }, false)},
	{"a bit of a batch's padding is flipped", flipIn(func(b batch, _ record) int { return b.padded() - 1 }, false)},
	{"a batch states more records than it has", func(t *testing.T, c *copied) any {
		s, b := c.journal[1], c.journal[1].with(2)
		s.bytes[b.at+12] += 4
		s.checksum(b)
		s.write(t)
		return b.records[len(b.records)-1].number + 1
	}},
	{"a bit of a segment's header is flipped", func(t *testing.T, c *copied) any {
		s := c.journal[1]
		s.bytes[65] ^= 1
		s.write(t)
		return s.first()
	}},
	{"a bit of a header's unused bytes is flipped", func(t *testing.T, c *copied) any {
		s := c.journal[1]
		s.bytes[sector-1] ^= 1
		s.write(t)
		return s.first()
	}},
	{"a segment's end is cut off", func(t *testing.T, c *copied) any {
		s := c.journal[1]
		last := s.batches[len(s.batches)-1]
		s.bytes = s.bytes[:last.at]
		s.write(t)
		return last.first
	}},
	{"the newest segment's end is cut off", func(t *testing.T, c *copied) any {
		s := c.newest()
		last := s.batches[len(s.batches)-2] // before the seal
		s.bytes = s.bytes[:last.at]
		s.write(t)
		return last.first
	}},
	{"the newest segment is removed", func(t *testing.T, c *copied) any {
		remove(t, c.newest().path)
		return c.newest().first()
	}},
	{"a segment is removed", func(t *testing.T, c *copied) any {
		remove(t, c.journal[1].path)
		return c.journal[1].first()
	}},
	{"the oldest segment is removed", func(t *testing.T, c *copied) any {
		remove(t, c.journal[0].path)
		return uint64(1)
	}},
	{"two records are swapped", func(t *testing.T, c *copied) any {
		s, b := c.journal[1], c.journal[1].with(2)
		one, two := b.records[0], b.records[1]
		swapped := slices.Concat(s.bytes[two.at:two.end], s.bytes[one.at:one.end])
		copy(s.bytes[one.at:], swapped)
		s.checksum(b)
		s.write(t)
		return one.number
	}},
	{"two batches are swapped", func(t *testing.T, c *copied) any {
		s := c.journal[1]
		one, two := s.batches[2], s.batches[3]
		swapped := slices.Concat(s.bytes[two.at:two.padded()], s.bytes[one.at:one.padded()])
		copy(s.bytes[one.at:], swapped)
		s.write(t)
		return one.first
	}},
	{"two segments are swapped", func(t *testing.T, c *copied) any {
		one, two := c.journal[1], c.journal[2]
		one.path, two.path = two.path, one.path
		one.write(t)
		two.write(t)
		return one.first()
	}},
	{"an old segment is put in place of another", func(t *testing.T, c *copied) any {
		old, other := c.journal[1], c.journal[2]
		old.path = other.path
		old.write(t)
		return other.first()
	}},
	{"an old segment is added under a new number", func(t *testing.T, c *copied) any {
		old, newest := c.journal[1], c.newest()
		next := binary.LittleEndian.Uint64(newest.bytes[32:]) + 1
		binary.LittleEndian.PutUint64(old.bytes[32:], next)
		copy(old.bytes[104:], hash(old.bytes[:104]))
		old.path = filepath.Join(filepath.Dir(old.path), segmentName(next))
		old.write(t)
		return newest.batches[len(newest.batches)-1].first // the seal: of the record to come
	}},
	{"an old batch is written again after the last one", func(t *testing.T, c *copied) any {
		s := c.newest()
		old, sealed := s.batches[1], s.batches[len(s.batches)-1]
		s.bytes = slices.Concat(s.bytes[:sealed.at], s.bytes[old.at:old.padded()], s.bytes[sealed.at:])
		s.write(t)
		return sealed.first
	}},
}

// flipIn flips a bit of what a function finds in a batch with several records and in the last of
// them, and makes the checksum right or leaves it.
func flipIn(where func(batch, record) int, checksum bool) func(*testing.T, *copied) any {
	return func(t *testing.T, c *copied) any {
		t.Helper()
		s := c.journal[1]
		b := s.with(2)
		last := b.records[len(b.records)-1]
		s.bytes[where(b, last)] ^= 4
		if !checksum {
			s.write(t)
			return b.first // the whole batch is in doubt
		}
		s.checksum(b)
		s.write(t)
		return last.number
	}
}

// with is a batch of the segment with at least so many records, and padding.
func (s *segment) with(records int) batch {
	return s.batches[slices.IndexFunc(s.batches, func(b batch) bool {
		return len(b.records) >= records && b.padded() > b.end
	})]
}

// containing is the first record whose body has a text.
func (s *segment) containing(text string) (record, bool) {
	for _, b := range s.batches {
		for _, r := range b.records {
			if bytes.Contains(s.bytes[r.at:r.end], []byte(text)) {
				return r, true
			}
		}
	}
	return record{}, false
}

// replace alters a text in a record to one of the same length.
func (s *segment) replace(r record, old, now string) {
	at := r.at + bytes.Index(s.bytes[r.at:r.end], []byte(old))
	copy(s.bytes[at:], now)
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
