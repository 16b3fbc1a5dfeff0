package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Sizes of the format, in bytes.
const (
	batchHeaderSize  = 64
	recordHeaderSize = 24
	recordOverhead   = recordHeaderSize + sha256.Size
)

// Types of a batch.
const (
	batchRecords = 1
	batchSeal    = 2 // Close wrote it: nothing follows
)

// batchMagic begins every batch. Its first and last bytes occur in no UTF-8
// text, so no text body can pass for a batch.
const batchMagic = "\xffSRBATC\xfe"

// Entry is what a caller appends.
type Entry struct {
	// Kind says what Body is. The journal does not look at it.
	Kind byte
	// Body is the record's content; it may be empty. It is copied.
	Body []byte
}

// Record is an entry as it stands in the journal.
type Record struct {
	// Seq is the record's number, from 1, without gaps.
	Seq uint64
	// Time is when the record was written: UTC, in microseconds.
	Time time.Time
	// Kind and Body are the entry's.
	Kind byte
	Body []byte
	// Hash is the chain's value after the record: it stands for this record and all
	// before it.
	Hash Hash
}

// appendRecord encodes e with its sequence number, time and hash still missing.
func appendRecord(buf []byte, e Entry) []byte {
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(e.Body)))
	buf = append(buf, e.Kind)
	buf = append(buf, make([]byte, recordHeaderSize-5)...)
	buf = append(buf, e.Body...)
	return append(buf, make([]byte, sha256.Size)...)
}

// completeRecords fills in what only the writer knows: numbers, times and the
// hash chain. A record's hash covers the 32 bytes before it (the hash of its
// predecessor, or the end of the batch header) and the record up to its hash.
func completeRecords(buf []byte, first uint64, now time.Time) {
	micros := uint64(now.UnixMicro())
	for off, seq := batchHeaderSize, first; off < len(buf); seq++ {
		r := buf[off:]
		binary.LittleEndian.PutUint64(r[8:], seq)
		binary.LittleEndian.PutUint64(r[16:], micros)
		end := off + recordHeaderSize + int(binary.LittleEndian.Uint32(r))
		sum := sha256.Sum256(buf[off-sha256.Size : end])
		copy(buf[end:], sum[:])
		off = end + sha256.Size
	}
}

// completeBatch turns buf, a batch header's room followed by records, into a
// batch. It returns the chain's value after it.
func completeBatch(buf []byte, kind uint32, count int, first uint64, now time.Time, prev Hash) Hash {
	copy(buf, batchMagic)
	binary.LittleEndian.PutUint32(buf[8:], uint32(len(buf)-batchHeaderSize))
	binary.LittleEndian.PutUint32(buf[12:], uint32(count))
	binary.LittleEndian.PutUint64(buf[16:], first)
	binary.LittleEndian.PutUint32(buf[24:], kind)
	copy(buf[32:], prev[:])
	completeRecords(buf, first, now)
	binary.LittleEndian.PutUint32(buf[28:], batchChecksum(buf))
	return Hash(buf[len(buf)-sha256.Size:])
}

func batchChecksum(b []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(b[:28], table), table, b[32:])
}

// batchHeader is the first 64 bytes of a batch.
type batchHeader struct {
	length int64 // of the records, in bytes
	count  int
	first  uint64
	kind   uint32
	prev   Hash
}

// decodeBatchHeader parses b, whose batch has at most room bytes.
func decodeBatchHeader(b []byte, room int64) (batchHeader, error) {
	if string(b[:8]) != batchMagic {
		return batchHeader{}, errors.New("no batch begins here")
	}
	h := batchHeader{
		length: int64(binary.LittleEndian.Uint32(b[8:])),
		count:  int(binary.LittleEndian.Uint32(b[12:])),
		first:  binary.LittleEndian.Uint64(b[16:]),
		kind:   binary.LittleEndian.Uint32(b[24:]),
		prev:   Hash(b[32:64]),
	}
	if batchHeaderSize+h.length > maxBatchSize {
		return batchHeader{}, errors.New("batch is longer than a batch may be")
	}
	if roundUp(batchHeaderSize+h.length) > room {
		return batchHeader{}, errors.New("batch is longer than its segment")
	}
	return h, nil
}

// checkBatch looks at a whole batch, padding included, as a reader must that
// does not yet know whether the bytes were ever written completely.
func checkBatch(b []byte, h batchHeader) error {
	end := batchHeaderSize + h.length
	if batchChecksum(b[:end]) != binary.LittleEndian.Uint32(b[28:]) {
		return errors.New("batch does not match its checksum")
	}
	if !allZero(b[end:]) {
		return errors.New("padding of the batch is not zero")
	}
	return nil
}

// recordError is a bad record within a batch.
type recordError struct {
	offset int64 // within the batch
	seq    uint64
	err    error
}

// Error implements error.
func (e *recordError) Error() string { return e.err.Error() }

// eachRecord parses the records of a checked batch, verifies their chain and
// shows them to visit. Bodies alias b. It returns the chain's value after them.
func eachRecord(b []byte, h batchHeader, visit func(Record) error) (Hash, error) {
	b = b[:batchHeaderSize+h.length]
	chain, off, seq := h.prev, batchHeaderSize, h.first
	for off < len(b) {
		r, end, err := decodeRecord(b, off, seq)
		if err == nil {
			err = visit(r)
		}
		if err != nil {
			return chain, &recordError{offset: int64(off), seq: seq, err: err}
		}
		chain = Hash(b[end-sha256.Size : end])
		off, seq = end, seq+1
	}
	if n := seq - h.first; n != uint64(h.count) {
		return chain, &recordError{offset: 12, seq: seq, err: fmt.Errorf("batch of %d records says that it has %d", n, h.count)}
	}
	return chain, nil
}

// decodeRecord parses the record at b[off:], which must have number seq, and
// returns where it ends.
func decodeRecord(b []byte, off int, seq uint64) (Record, int, error) {
	if len(b)-off < recordOverhead {
		return Record{}, 0, errors.New("record is longer than its batch")
	}
	body := off + recordHeaderSize
	length := int64(binary.LittleEndian.Uint32(b[off:]))
	if length > int64(len(b)-off-recordOverhead) {
		return Record{}, 0, errors.New("record is longer than its batch")
	}
	end := body + int(length)
	if Hash(sha256.Sum256(b[off-sha256.Size:end])) != Hash(b[end:end+sha256.Size]) {
		return Record{}, 0, errors.New("record does not match its hash")
	}
	if got := binary.LittleEndian.Uint64(b[off+8:]); got != seq {
		return Record{}, 0, fmt.Errorf("record has number %d", got)
	}
	if !allZero(b[off+5 : off+8]) {
		return Record{}, 0, errors.New("reserved bytes of the record are not zero")
	}
	r, next := recordAt(b, off)
	return r, next, nil
}

// recordAt returns the record at b[off:] of a batch that this process made, and
// where it ends.
func recordAt(b []byte, off int) (Record, int) {
	body := off + recordHeaderSize
	end := body + int(binary.LittleEndian.Uint32(b[off:]))
	return Record{
		Seq: binary.LittleEndian.Uint64(b[off+8:]), Time: microTime(b[off+16:]), Kind: b[off+4], Body: b[body:end:end],
		Hash: Hash(b[end : end+sha256.Size]),
	}, end + sha256.Size
}
