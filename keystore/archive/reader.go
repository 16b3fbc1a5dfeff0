package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// Reader reads a backup: the header, then Entries, then NextSegment until io.EOF,
// which says that everything was read and is good. Only then does anything count
// that was read before. It is for one goroutine. An error is ErrCorrupt if the
// backup is at fault, else the io.Reader's.
type Reader struct {
	r      io.Reader
	sum    hash.Hash // of all bytes so far
	whole  bool      // the journal is whole: its first segment is the first one here
	header Header
	prefix string  // of the keys of all entries
	next   section // already read, not yet used; kind 0 if there is none
	buf    []byte
	last   string // the key of the last entry
	number uint64 // of the last segment
	totals Totals
	data   *segmentReader // the segment being read
	err    error          // io.EOF after the trailer
}

// section is a section as it was read. The body is good until the next is read.
type section struct {
	kind byte
	body []byte
}

// NewReader reads the header of a backup.
func NewReader(r io.Reader) (*Reader, error) {
	a := &Reader{r: r, sum: sha256.New()}
	version, err := a.prelude()
	if err != nil {
		return nil, err
	}
	s, err := a.read()
	if err == nil && s.kind != typeHeader {
		err = fmt.Errorf("%w: it does not begin with a header", ErrCorrupt)
	}
	if err == nil {
		a.header, err = decodeHeader(version, s.body)
	}
	if err != nil {
		return nil, err
	}
	a.whole = version <= wholeVersion
	a.prefix = a.header.prefix()
	if version == firstVersion {
		a.prefix += a.header.Regions[0] + "/"
	}
	return a, nil
}

// Header returns the header.
func (a *Reader) Header() Header { return a.header }

// Totals returns what was read so far.
func (a *Reader) Totals() Totals { return a.totals }

func (a *Reader) prelude() (version uint32, err error) {
	b := make([]byte, preludeSize)
	if _, err := io.ReadFull(a.r, b); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, fmt.Errorf("reading a backup: %w", err)
	}
	if string(b[:len(magic)]) != magic {
		return 0, fmt.Errorf("%w: it is no backup of Strongroom", ErrCorrupt)
	}
	version = binary.BigEndian.Uint32(b[len(magic):])
	if version < firstVersion || version > FormatVersion {
		return 0, fmt.Errorf("%w: it has format version %d and this program knows only those up to %d", ErrCorrupt, version, FormatVersion)
	}
	a.sum.Write(b) // never fails
	return version, nil
}

// Entries yields the entries in the order of their keys, to be read to their end
// before the first NextSegment. An error is yielded last.
func (a *Reader) Entries() iter.Seq2[metadata.Entry, error] {
	return func(yield func(metadata.Entry, error) bool) {
		for {
			s, err := a.peek()
			if err == nil && s.kind != typeEntries {
				return
			}
			a.next = section{}
			for body := s.body; err == nil && len(body) > 0; {
				var e metadata.Entry
				if e, body, err = a.entry(body); err == nil && !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(metadata.Entry{}, a.fail(err))
				return
			}
		}
	}
}

func (a *Reader) entry(body []byte) (metadata.Entry, []byte, error) {
	e, rest, err := decodeEntry(body)
	if err == nil {
		if bad := a.header.checkNext(a.prefix, a.last, e); bad != nil {
			err = fmt.Errorf("%w: %w", ErrCorrupt, bad)
		}
	}
	a.last = e.Key
	a.totals.Entries++
	return e, rest, err
}

// NextSegment returns the next segment and its bytes, which are to be read before
// the next call; what is left of them is skipped. After the last segment the error
// is io.EOF if the whole backup is good.
func (a *Reader) NextSegment() (Segment, io.Reader, error) {
	if a.data != nil {
		if _, err := io.Copy(io.Discard, a.data); err != nil {
			return Segment{}, nil, err
		}
		a.data = nil
	}
	s, err := a.peek()
	a.next = section{}
	switch {
	case err != nil:
		return Segment{}, nil, a.fail(err)
	case s.kind == typeSegment:
		return a.segment(s.body)
	case s.kind == typeTrailer:
		return Segment{}, nil, a.fail(io.EOF)
	}
	return Segment{}, nil, a.fail(fmt.Errorf("%w: a section of type %d where a segment is due", ErrCorrupt, s.kind))
}

func (a *Reader) segment(body []byte) (Segment, io.Reader, error) {
	if len(body) != segmentBodySize {
		return Segment{}, nil, a.fail(fmt.Errorf("%w: a segment's section has %d bytes", ErrCorrupt, len(body)))
	}
	s := Segment{Number: binary.BigEndian.Uint64(body), Length: int64(binary.BigEndian.Uint64(body[8:]))}
	if !s.follows(a.totals.Segments, a.number) || a.whole && s.Number != a.totals.Segments+1 {
		return s, nil, a.fail(fmt.Errorf("%w: %d bytes of segment %d after %d segments", ErrCorrupt, s.Length, s.Number, a.totals.Segments))
	}
	a.number = s.Number
	a.totals.Segments++
	a.totals.JournalBytes += uint64(s.Length)
	a.data = &segmentReader{a: a, left: s.Length}
	return s, a.data, nil
}

// segmentReader reads the data sections of one segment.
type segmentReader struct {
	a     *Reader
	left  int64  // bytes that are still to be read as sections
	piece []byte // of the section that is being read
}

// Read implements io.Reader.
func (r *segmentReader) Read(b []byte) (int, error) {
	if len(r.piece) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, r.a.fail(err)
		}
	}
	n := copy(b, r.piece)
	r.piece = r.piece[n:]
	return n, nil
}

func (r *segmentReader) fill() error {
	s, err := r.a.peek()
	if err != nil {
		return err
	}
	r.a.next = section{}
	if n := int64(len(s.body)); s.kind != typeData || n == 0 || n > r.left {
		return fmt.Errorf("%w: a section of type %d with %d bytes where %d of a segment are due", ErrCorrupt, s.kind, n, r.left)
	}
	r.piece, r.left = s.body, r.left-int64(len(s.body))
	return nil
}

// peek returns the next section and keeps it for the next call.
func (a *Reader) peek() (section, error) {
	if a.err != nil {
		return section{}, a.err
	}
	var err error
	if a.next.kind == 0 {
		a.next, err = a.read()
	}
	return a.next, err
}

// read reads a section and checks it; a trailer, against everything before it and
// for being the end.
func (a *Reader) read() (section, error) {
	before := a.sum.Sum(nil)
	var frame [frameSize]byte
	if err := a.full(frame[:]); err != nil {
		return section{}, err
	}
	n := binary.BigEndian.Uint32(frame[:])
	if n > maxBody {
		return section{}, fmt.Errorf("%w: a section of %d bytes", ErrCorrupt, n)
	}
	if cap(a.buf) < int(n)+sumSize {
		a.buf = make([]byte, int(n)+sumSize)
	}
	b := a.buf[:n+sumSize]
	if err := a.full(b); err != nil {
		return section{}, err
	}
	s := section{kind: frame[4], body: b[:n]}
	if binary.BigEndian.Uint32(b[n:]) != checksum(frame[:], s.body) {
		return section{}, fmt.Errorf("%w: a section does not match its checksum", ErrCorrupt)
	}
	switch {
	case s.kind == typeTrailer:
		return s, a.end(s.body, before)
	case s.kind == typeEntries && n == 0:
		return section{}, fmt.Errorf("%w: a section of entries without one", ErrCorrupt)
	case s.kind < typeHeader || s.kind > typeTrailer:
		return section{}, fmt.Errorf("%w: a section of the unknown type %d", ErrCorrupt, s.kind)
	}
	return s, nil
}

// end checks the trailer, and that nothing follows it.
func (a *Reader) end(body, sum []byte) error {
	if !bytes.Equal(body, append(appendTotals(nil, a.totals), sum...)) {
		return fmt.Errorf("%w: its trailer does not match what it holds", ErrCorrupt)
	}
	switch _, err := io.ReadFull(a.r, make([]byte, 1)); {
	case err == nil:
		return fmt.Errorf("%w: bytes follow its end", ErrCorrupt)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("reading a backup: %w", err)
	}
	return nil
}

// full reads all of b. A backup that ends there was cut short.
func (a *Reader) full(b []byte) error {
	_, err := io.ReadFull(a.r, b)
	a.sum.Write(b) // never fails
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut short", ErrCorrupt)
	}
	if err != nil {
		return fmt.Errorf("reading a backup: %w", err)
	}
	return nil
}

// fail keeps the first error.
func (a *Reader) fail(err error) error {
	if a.err == nil {
		a.err = err
	}
	return a.err
}
