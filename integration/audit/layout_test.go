package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Where things are in a segment file, in bytes (docs/formats/journal.md).
const (
	sector       = 512
	batchHeader  = 64
	recordHeader = 24
	seal         = 2
)

// segment is a segment file of a journal that is open to be tampered with.
type segment struct {
	path    string
	bytes   []byte
	batches []batch
}

// batch is where one stands in its segment.
type batch struct {
	at, end int // of its header, and where its padding begins
	first   uint64
	seal    bool
	records []record
}

// record is where one stands in its segment: from its header to the end of its hash.
type record struct {
	at, end int
	number  uint64
}

// readJournal reads the segments of a data directory, and leaves away what lies behind
// their last batch.
func readJournal(t *testing.T, dataDir string) []*segment {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dataDir, "journal", "*.journal"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no journal in %s: %v", dataDir, err)
	}
	slices.Sort(paths)
	var all []*segment
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &segment{path: path, bytes: content}
		s.parse()
		all = append(all, s)
	}
	return all
}

func (s *segment) parse() {
	for at := sector; at < len(s.bytes) && bytes.HasPrefix(s.bytes[at:], []byte("\xffSRBATC\xfe")); {
		b := batch{
			at: at, end: at + batchHeader + int(binary.LittleEndian.Uint32(s.bytes[at+8:])),
			first: binary.LittleEndian.Uint64(s.bytes[at+16:]),
			seal:  binary.LittleEndian.Uint32(s.bytes[at+24:]) == seal,
		}
		for r := at + batchHeader; r < b.end; {
			end := r + recordHeader + int(binary.LittleEndian.Uint32(s.bytes[r:])) + sha256.Size
			b.records = append(b.records, record{at: r, end: end, number: binary.LittleEndian.Uint64(s.bytes[r+8:])})
			r = end
		}
		s.batches = append(s.batches, b)
		at = b.padded()
	}
}

// padded is where the batch's padding ends.
func (b batch) padded() int { return (b.end + sector - 1) / sector * sector }

// checksum makes the batch's CRC right.
func (s *segment) checksum(b batch) {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(crc32.Checksum(s.bytes[b.at:b.at+28], table), table, s.bytes[b.at+32:b.end])
	binary.LittleEndian.PutUint32(s.bytes[b.at+28:], sum)
}

// first is the number of the first record that goes into the segment.
func (s *segment) first() uint64 { return binary.LittleEndian.Uint64(s.bytes[40:]) }

func (s *segment) write(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(s.path, s.bytes, 0o600); err != nil {
		t.Fatal(err)
	}
}

// rechain makes all hashes of a journal anew: what a thief does who has the directory
// and knows the format. Nothing in the journal alone tells.
func rechain(all []*segment) {
	var chain []byte
	for i, s := range all {
		if i > 0 {
			copy(s.bytes[72:], chain)
		}
		chain = hash(s.bytes[:104])
		copy(s.bytes[104:], chain)
		for _, b := range s.batches {
			copy(s.bytes[b.at+32:], chain)
			for _, r := range b.records {
				chain = hash(s.bytes[r.at-sha256.Size : r.end-sha256.Size])
				copy(s.bytes[r.end-sha256.Size:], chain)
			}
			s.checksum(b)
		}
	}
}

func hash(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}
