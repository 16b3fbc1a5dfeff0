package journal

import (
	"errors"
	"fmt"
	"io"
)

const reasonCutShort = "segment is cut short: it has neither a seal nor a successor"

// errIncomplete says that no whole batch stands where one could. Whether that
// is the journal's end or corruption depends on what follows.
type errIncomplete struct{ reason string }

// Error implements error.
func (e *errIncomplete) Error() string { return e.reason }

// walker reads the batches of one segment in order and verifies them.
type walker struct {
	seg  *opened     // nil if only walkTo is called
	src  io.ReaderAt // the segment's bytes
	at   position
	buf  []byte
	last int64 // length of the batch before at, padding included; 0 if none
}

func newWalker(s *opened) *walker {
	return &walker{seg: s, src: s, at: position{segment: s.header.number, end: headerSize, next: s.header.first, chain: s.start}}
}

// corrupt names the point off bytes after w.at.
func (w *walker) corrupt(off int64, seq uint64, reason string) error {
	return &Corruption{Segment: w.at.segment, Offset: w.at.end + off, Seq: seq, Reason: reason}
}

// read returns the whole batch at offset off, padding included. It fails with
// *errIncomplete if there is none, also if the file ends before.
func (w *walker) read(off, limit int64) ([]byte, batchHeader, error) {
	b, err := w.bytes(off, batchHeaderSize, limit)
	if err != nil {
		return nil, batchHeader{}, err
	}
	h, err := decodeBatchHeader(b, limit-off)
	if err != nil {
		return nil, h, &errIncomplete{err.Error()}
	}
	b, err = w.bytes(off, roundUp(batchHeaderSize+h.length), limit)
	if err != nil {
		return nil, h, err
	}
	// Beside a live writer the header may have changed between both reads.
	if h, err = decodeBatchHeader(b, int64(len(b))); err == nil {
		err = checkBatch(b, h)
	}
	if err != nil {
		return nil, h, &errIncomplete{err.Error()}
	}
	return b, h, nil
}

// bytes reads n bytes into the walker's buffer.
func (w *walker) bytes(off, n, limit int64) ([]byte, error) {
	if off+n > limit {
		return nil, &errIncomplete{"no room for a batch"}
	}
	if int64(cap(w.buf)) < n {
		w.buf = make([]byte, n)
	}
	_, err := w.src.ReadAt(w.buf[:n], off)
	if errors.Is(err, io.EOF) {
		return nil, &errIncomplete{"file ends within a batch"}
	}
	if err != nil {
		return nil, fmt.Errorf("reading journal segment %d: %w", w.at.segment, err)
	}
	return w.buf[:n], nil
}

// step reads the batch at w.at, shows its records to visit and moves behind
// it. On a seal it stays and returns true.
func (w *walker) step(limit int64, visit func(Record) error) (sealed bool, err error) {
	b, h, err := w.read(w.at.end, limit)
	if err != nil {
		return false, err
	}
	if reason := w.misplaced(h); reason != "" {
		return false, w.corrupt(0, w.at.next, reason)
	}
	if h.kind == batchSeal {
		return true, nil
	}
	chain, err := eachRecord(b, h, visit)
	if bad := (*recordError)(nil); errors.As(err, &bad) {
		return false, w.corrupt(bad.offset, bad.seq, bad.Error())
	}
	w.last = int64(len(b))
	w.at.end += w.last
	w.at.next += uint64(h.count)
	w.at.chain = chain
	return false, nil
}

// misplaced says why a whole batch cannot stand at w.at.
func (w *walker) misplaced(h batchHeader) string {
	switch {
	case h.first != w.at.next:
		return fmt.Sprintf("batch begins with record %d", h.first)
	case h.prev != w.at.chain:
		return "batch does not continue the hash chain"
	case h.kind == batchRecords && h.count > 0, h.kind == batchSeal && h.count == 0 && h.length == 0:
		return ""
	}
	return fmt.Sprintf("batch of type %d with %d records", h.kind, h.count)
}

// walkTo reads the batches up to the offset limit, where they must end.
func (w *walker) walkTo(limit int64, visit func(Record) error) error {
	for w.at.end < limit {
		if err := w.walkOne(limit, visit); err != nil {
			return err
		}
	}
	return nil
}

// walkOne reads the next batch, which must end before the offset limit or there.
func (w *walker) walkOne(limit int64, visit func(Record) error) error {
	sealed, err := w.step(limit, visit)
	if gap := (*errIncomplete)(nil); errors.As(err, &gap) {
		return w.corrupt(0, w.at.next, gap.reason)
	}
	if err == nil && sealed {
		err = w.corrupt(0, w.at.next, "sealed before its end")
	}
	return err
}

func ignore(Record) error { return nil }

// tail is the end of the newest segment.
type tail struct {
	at     position
	closed bool
	torn   *TornTail
	last   []byte // the last batch, if the segment is not sealed
}

// findEnd reads a segment that has no successor up to where its batches end, and
// shows its records to visit.
func findEnd(s *opened, visit func(Record) error) (tail, error) {
	w := newWalker(s)
	for {
		sealed, err := w.step(s.length, visit)
		if gap := (*errIncomplete)(nil); errors.As(err, &gap) {
			return w.openEnd(gap.reason)
		}
		if err != nil {
			return tail{at: w.at}, err
		}
		if sealed {
			return w.sealedEnd()
		}
	}
}

// sealedEnd checks that nothing follows the seal at w.at. The zero fill is
// still there if a crash came before it was cut off.
func (w *walker) sealedEnd() (tail, error) {
	after := w.at.end + sectorSize
	if w.seg.length != after && w.seg.length != w.seg.header.size {
		return tail{at: w.at}, w.corrupt(sectorSize, w.at.next, "file has a wrong length after its seal")
	}
	rest, err := w.remains(after)
	if err == nil && rest.end > after {
		err = w.corrupt(sectorSize, w.at.next, "bytes after the seal")
	}
	return tail{at: w.at, closed: true}, err
}

// openEnd decides what it means that no whole batch stands at w.at. While a
// segment is neither sealed nor followed it has its full length, and a torn
// write is the last one: a whole batch after it proves that it once was whole.
func (w *walker) openEnd(reason string) (tail, error) {
	end := tail{at: w.at}
	if w.seg.length != w.seg.header.size {
		return end, w.corrupt(0, w.at.next, reasonCutShort)
	}
	rest, err := w.remains(w.at.end)
	if err != nil {
		return end, err
	}
	if rest.batch {
		return end, w.corrupt(0, w.at.next, reason+", but a later batch is whole")
	}
	if n := rest.end - w.at.end; n > 0 {
		end.torn = &TornTail{Segment: w.at.segment, Offset: w.at.end, Bytes: n}
	}
	if w.last > 0 {
		end.last, err = w.bytes(w.at.end-w.last, w.last, w.at.end)
	}
	return end, err
}

// remains is what lies behind an offset.
type remains struct {
	end   int64 // after the last byte that is not zero; 0 if there is none
	batch bool  // a whole batch begins there
}

// scanPiece is how much is read at once where no batch is expected, in bytes.
const scanPiece = 1 << 20

// remains looks at all sectors from offset from on. A batch counts if it can be
// later than w.at.
func (w *walker) remains(from int64) (remains, error) {
	var r remains
	piece := make([]byte, max(0, min(scanPiece, w.seg.length-from)))
	for off := from; off < w.seg.length; off += int64(len(piece)) {
		n, err := w.seg.ReadAt(piece, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return r, fmt.Errorf("reading journal segment %d: %w", w.at.segment, err)
		}
		for at := 0; at < n; at += sectorSize {
			w.look(&r, off+int64(at), piece[at:min(at+sectorSize, n)])
		}
		if n < len(piece) {
			break // the end, or truncated meanwhile
		}
	}
	return r, nil
}

// look takes the sector at offset off into r.
func (w *walker) look(r *remains, off int64, sector []byte) {
	n := usedBytes(sector)
	if n == 0 {
		return
	}
	r.end = off + n
	if _, h, err := w.read(off, w.seg.length); err == nil && h.first >= w.at.next {
		r.batch = true
	}
}

// usedBytes returns the length of b without its trailing zeros.
func usedBytes(b []byte) int64 {
	for n := len(b); n > 0; n-- {
		if b[n-1] != 0 {
			return int64(n)
		}
	}
	return 0
}
