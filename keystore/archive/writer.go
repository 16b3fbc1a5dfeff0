package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// Writer writes a backup: all entries in the order of their keys, then all
// segments, then Close. After an error nothing can be written any more. It is for
// one goroutine.
type Writer struct {
	w      io.Writer
	sum    hash.Hash // of all bytes so far
	header Header
	body   []byte // entries that are still to be written
	last   string // the key of the last entry
	number uint64 // of the last segment
	totals Totals
	err    error
}

// NewWriter begins a backup.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	body, err := h.encode()
	if err != nil {
		return nil, fmt.Errorf("beginning a backup: %w", err)
	}
	a := &Writer{w: w, sum: sha256.New(), header: h}
	a.write(binary.BigEndian.AppendUint32([]byte(magic), FormatVersion))
	a.section(typeHeader, body)
	return a, a.err
}

// Entry writes the next entry.
func (a *Writer) Entry(e metadata.Entry) error {
	if err := a.header.checkNext(a.header.prefix(), a.last, e); err != nil {
		a.fail(err)
	}
	if size := entryOverhead + len(e.Key) + len(e.Value); len(a.body) > 0 && len(a.body)+size > fullBody {
		a.flush()
	}
	if a.err != nil {
		return a.err
	}
	a.body = appendEntry(a.body, e)
	a.last = e.Key
	a.totals.Entries++
	return nil
}

// checkNext says whether an entry, whose key has to have a prefix, can follow the
// one with a key.
func (h Header) checkNext(prefix, last string, e metadata.Entry) error {
	switch {
	case metadata.CheckKey(e.Key) != nil || !strings.HasPrefix(e.Key, prefix):
		return fmt.Errorf("%.64q is no key under %s", e.Key, prefix)
	case e.Key <= last:
		return fmt.Errorf("the entry %q does not come after %q", e.Key, last)
	case e.Revision == 0 || e.Revision > h.Revision:
		return fmt.Errorf("the entry %q is at revision %d, the store at %d", e.Key, e.Revision, h.Revision)
	case len(e.Value) > metadata.MaxValueSize:
		return fmt.Errorf("the value of %q is %d bytes long", e.Key, len(e.Value))
	}
	return nil
}

// flush writes the entries that wait.
func (a *Writer) flush() {
	if len(a.body) > 0 {
		a.section(typeEntries, a.body)
		a.body = a.body[:0]
	}
}

// Segment writes the next segment of the journal: s.Length bytes of r. It fails if
// r has fewer.
func (a *Writer) Segment(s Segment, r io.Reader) error {
	a.flush()
	if !s.follows(a.totals.Segments, a.number) {
		a.fail(fmt.Errorf("%d bytes of segment %d cannot follow %d segments", s.Length, s.Number, a.totals.Segments))
	}
	a.number = s.Number
	body := binary.BigEndian.AppendUint64(nil, s.Number)
	a.section(typeSegment, binary.BigEndian.AppendUint64(body, uint64(s.Length)))
	piece := make([]byte, min(fullBody, s.Length))
	for left := s.Length; left > 0 && a.err == nil; left -= int64(len(piece)) {
		piece = piece[:min(int64(len(piece)), left)]
		if _, err := io.ReadFull(r, piece); err != nil {
			a.fail(fmt.Errorf("reading segment %d: %w", s.Number, err))
		}
		a.section(typeData, piece)
	}
	a.totals.Segments++
	a.totals.JournalBytes += uint64(s.Length)
	return a.err
}

// Close writes the trailer and returns what the backup holds. It does not close
// the io.Writer.
func (a *Writer) Close() (Totals, error) {
	a.flush()
	a.section(typeTrailer, a.sum.Sum(appendTotals(nil, a.totals)))
	if a.err != nil {
		return Totals{}, a.err
	}
	a.err = errors.New("the backup is closed")
	return a.totals, nil
}

// section writes one section.
func (a *Writer) section(kind byte, body []byte) {
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind)
	a.write(frame)
	a.write(body)
	a.write(binary.BigEndian.AppendUint32(nil, checksum(frame, body)))
}

func (a *Writer) write(b []byte) {
	if a.err != nil {
		return
	}
	a.sum.Write(b) // never fails
	if _, err := a.w.Write(b); err != nil {
		a.fail(err)
	}
}

// fail keeps the first error.
func (a *Writer) fail(err error) {
	if a.err == nil {
		a.err = fmt.Errorf("writing a backup: %w", err)
	}
}
