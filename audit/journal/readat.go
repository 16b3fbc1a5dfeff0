package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ID returns the journal's id.
func (j *Journal) ID() ID { return j.id }

// SegmentReader reads records of one segment of an open journal, for indexes. It is for
// one goroutine. It goes on reading a segment that is removed meanwhile.
type SegmentReader struct {
	seg  *opened
	walk *walker
	buf  []byte
}

// OpenSegment opens a segment for reading. One that was removed is fs.ErrNotExist.
func (j *Journal) OpenSegment(number uint64) (*SegmentReader, error) {
	s, err := openSegment(j.dir, number)
	if err != nil {
		return nil, err
	}
	return &SegmentReader{seg: s, walk: newWalker(s)}, nil
}

// Close closes the segment's file.
func (r *SegmentReader) Close() { r.seg.release() }

// Before returns where the segment before this one ends and the chain's value there.
func (r *SegmentReader) Before() (end int64, chain Hash) {
	return r.seg.header.prevEnd, r.seg.header.prev
}

// Head returns up to where Walk has come and the chain's value there.
func (r *SegmentReader) Head() (end int64, chain Hash) { return r.walk.at.end, r.walk.at.chain }

// Walk verifies the records from where the Walk before it ended to the offset end, where
// a batch ends, and shows each to visit, with its own offset. The record's body is only valid
// during the call.
func (r *SegmentReader) Walk(end int64, visit func(r Record, offset int64) error) error {
	batch, at := int64(0), int64(0)
	return r.walk.walkTo(end, func(rec Record) error {
		if r.walk.at.end != batch {
			batch = r.walk.at.end
			at = batch + batchHeaderSize
		}
		offset := at
		at += recordOverhead + int64(len(rec.Body))
		return visit(rec, offset)
	})
}

// atOnce is how much At reads at first, in bytes: most records are shorter.
const atOnce = 2 << 10

// At reads the record with a number that stands at an offset, and verifies it against its
// hash and the chain before it. One that does not stand there is a *Corruption. The
// record's body is only valid until the next call.
func (r *SegmentReader) At(offset int64, seq uint64) (Record, error) {
	from := offset - sha256.Size
	b, err := r.read(from, atOnce)
	if err == nil && len(b) >= sha256.Size+recordOverhead {
		n := sha256.Size + recordOverhead + int64(binary.LittleEndian.Uint32(b[sha256.Size:]))
		if n > int64(len(b)) && n <= maxBatchSize {
			b, err = r.read(from, n)
		}
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading journal segment %d: %w", r.seg.header.number, err)
	}
	rec, err := recordIn(b, seq)
	if err != nil {
		return Record{}, &Corruption{Segment: r.seg.header.number, Offset: offset, Seq: seq, Reason: err.Error()}
	}
	return rec, nil
}

func recordIn(b []byte, seq uint64) (Record, error) {
	if len(b) < sha256.Size {
		return Record{}, errors.New("record is behind the end of its segment")
	}
	rec, _, err := decodeRecord(b, sha256.Size, seq)
	return rec, err
}

// read reads n bytes, or as many as there are.
func (r *SegmentReader) read(from, n int64) ([]byte, error) {
	if int64(cap(r.buf)) < n {
		r.buf = make([]byte, n)
	}
	got, err := r.seg.ReadAt(r.buf[:n], max(from, 0))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return r.buf[:got], err
}
