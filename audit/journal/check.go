package journal

import (
	"errors"
	"fmt"
	"io"
)

// Checker checks a Cut as its segments come from somewhere, in order, and needs no
// files. The zero Checker is for a journal from its oldest segment on.
type Checker struct {
	// Visit, if not nil, is shown each record, as Inspect shows them.
	Visit func(Record) error

	report Report
	header segmentHeader // of the segment before
	at     position      // its end
}

// Segment checks the next segment of a cut, of so many bytes. A *Corruption says
// that it is bad, or not the next one; other errors are r's.
func (c *Checker) Segment(number uint64, length int64, r io.Reader) error {
	src := &window{r: r}
	h, chain, err := c.begin(number, length, src)
	if err != nil {
		return err
	}
	w := &walker{src: src, at: position{segment: number, end: headerSize, next: h.first, chain: chain}}
	if err := w.walkTo(length, c.take); err != nil {
		return err
	}
	c.header, c.at = h, w.at
	if c.report.Segments == 0 {
		c.report.FirstSegment, c.report.Removed = number, h.first-1
	}
	c.report.Journal, c.report.Segments, c.report.Head = h.journal, c.report.Segments+1, w.at.chain
	return nil
}

// begin reads the header of a segment and checks that it is the next one.
func (c *Checker) begin(number uint64, length int64, src *window) (segmentHeader, Hash, error) {
	b := make([]byte, headerSize)
	if _, err := src.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return segmentHeader{}, Hash{}, err
	}
	h, chain, err := decodeHeader(b)
	due := number
	if c.report.Segments > 0 {
		due = c.at.segment + 1
	}
	if err == nil && (h.number != number || number != due || length < headerSize || length > h.size) {
		err = fmt.Errorf("%d bytes of segment %d in the place of segment %d", length, h.number, due)
	}
	if err != nil {
		return h, chain, &Corruption{Segment: number, Seq: max(c.at.next, 1), Reason: err.Error()}
	}
	if c.report.Segments == 0 {
		return h, chain, begins(h)
	}
	if h.prevEnd != c.at.end {
		return h, chain, &Corruption{Segment: number - 1, Offset: c.at.end, Seq: c.at.next, Reason: "segment does not end where the next one says"}
	}
	return h, chain, continues(h, c.header, c.at)
}

func (c *Checker) take(r Record) error {
	if c.Visit != nil {
		if err := c.Visit(r); err != nil {
			return err
		}
	}
	c.report.count(r)
	return nil
}

// Report returns what was found so far. It does not tell how the journal ended.
func (c *Checker) Report() Report { return c.report }

// window is an io.ReaderAt on a stream for who reads forward, and again at most
// from where the read before began.
type window struct {
	r    io.Reader
	from int64 // offset of buf
	buf  []byte
}

// ReadAt implements io.ReaderAt.
func (w *window) ReadAt(b []byte, off int64) (int, error) {
	if off < w.from {
		return 0, fmt.Errorf("offset %d was passed", off)
	}
	if err := w.advance(off); err != nil {
		return 0, err
	}
	if missing := len(b) - len(w.buf); missing > 0 {
		had := len(w.buf)
		w.buf = append(w.buf, make([]byte, missing)...)
		n, err := io.ReadFull(w.r, w.buf[had:])
		w.buf = w.buf[:had+n]
		if err != nil {
			return copy(b, w.buf), endOf(err)
		}
	}
	return copy(b, w.buf), nil
}

// advance drops what lies before an offset.
func (w *window) advance(off int64) error {
	drop := min(off-w.from, int64(len(w.buf)))
	w.buf = w.buf[:copy(w.buf, w.buf[drop:])]
	w.from += drop
	n, err := io.CopyN(io.Discard, w.r, off-w.from)
	w.from += n
	return err
}

func endOf(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}
