package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"
	"sort"
	"time"
)

// Report is what Verify found in a good journal, or before the first bad
// record.
type Report struct {
	// Journal is the journal's id.
	Journal ID
	// FirstSegment is the number of the oldest segment: 1, or a later one if Trim
	// removed those before it.
	FirstSegment uint64
	// Removed is how many records these had: those numbered 1 to Removed.
	Removed uint64
	// Segments and Records count what is there.
	Segments, Records uint64
	// First and Last are the numbers of the first and last record, 0 if none.
	First, Last uint64
	// FirstTime and LastTime are when they were written.
	FirstTime, LastTime time.Time
	// Head is the chain's value at the end; a live journal's Head has it too.
	Head Hash
	// Closed says that the journal was closed properly.
	Closed bool
	// Torn is what follows the last record: a write that never finished, or
	// the one that a live writer is at. Nil if there is nothing.
	Torn *TornTail
}

// Visitor is shown what a journal holds, in order. An error of a method is reported as
// a Corruption at that record or header.
type Visitor struct {
	// Header, if not nil, is shown the header of each segment.
	Header func(Header) error
	// Record is shown each record. Its body is only valid during the call.
	Record func(Record) error
}

// Header is what the header of a segment says.
type Header struct {
	// Segment is the segment's number.
	Segment uint64
	// First is the number of the first record that comes after the header.
	First uint64
	// Before and After are the chain's values before and after the header.
	Before, After Hash
}

// Verify reads the journal in dir and checks every byte. An error is a
// *Corruption if the journal is at fault. It may run beside a live writer, and
// then reports on the records that were durable on its way.
//
// A journal that begins with a later segment is good: whether Trim removed those before it
// or somebody else did is for those to tell who know what the records mean.
func Verify(dir string) (Report, error) {
	for {
		report, err := Inspect(dir, ignore)
		if !errors.Is(err, ErrTrimmed) {
			return report, err
		}
	}
}

// Inspect does what Verify does and shows each record to visit, as Walk does.
func Inspect(dir string, visit func(Record) error) (Report, error) {
	return Walk(dir, Visitor{Record: visit})
}

// Walk does what Verify does and shows everything to a visitor. If Trim overtakes it,
// it fails with ErrTrimmed, and may be begun again with a new visitor.
func Walk(dir string, v Visitor) (Report, error) {
	in := &inspection{dir: dir, visitor: v}
	numbers, err := listSegments(dir)
	if len(numbers) > 0 {
		in.report.FirstSegment = numbers[0]
		err = firstBad(in.run(numbers[0]), err)
	} else if err == nil {
		err = noJournal(dir)
	}
	if bad := (*Corruption)(nil); errors.As(err, &bad) && bad.Seq == 0 {
		bad.Seq = in.next()
	}
	return in.report, err
}

func noJournal(dir string) error { return fmt.Errorf("no journal in %s: %w", dir, fs.ErrNotExist) }

// firstBad chooses between what a walk found and a missing segment. Before a
// missing segment the walk finds one that is cut short.
func firstBad(walk, missing error) error {
	bad, gap := (*Corruption)(nil), (*Corruption)(nil)
	if !errors.As(missing, &gap) || errors.As(walk, &bad) && bad.Reason != reasonCutShort {
		return errors.Join(walk, missing)
	}
	return missing
}

// Read yields the records of the journal in dir from number from on. It
// verifies them from the beginning of the segment that holds the first one. It
// needs no open Journal, and may run beside one. An error is yielded last. From 0 or 1
// on means from the oldest one left; if another one was removed, or is before
// Read comes to it, that is ErrTrimmed.
func Read(dir string, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		in := &inspection{dir: dir}
		in.visitor.Record = func(r Record) error {
			r.Body = slices.Clone(r.Body)
			if r.Seq >= from && !yield(r, nil) {
				in.stopped = true
				return errStopped
			}
			return nil
		}
		if err := in.runFrom(from); err != nil && !in.stopped {
			yield(Record{}, err)
		}
	}
}

var errStopped = errors.New("reader stopped")

// segmentOf returns the number of the segment that holds record seq, or would.
func segmentOf(dir string, seq uint64) (uint64, error) {
	numbers, err := listSegments(dir)
	if err == nil && len(numbers) == 0 {
		err = noJournal(dir)
	}
	if err != nil {
		return 0, err
	}
	var bad error
	later := sort.Search(len(numbers), func(i int) bool {
		s, err := openListed(dir, numbers[i])
		if err != nil {
			bad = err
			return true
		}
		defer s.release()
		return s.header.first > seq
	})
	if later == 0 && seq > 1 && bad == nil {
		bad = trimmedIn(dir)
	}
	return numbers[max(later, 1)-1], bad
}

// openListed opens a segment that was there a moment ago.
func openListed(dir string, number uint64) (*opened, error) {
	s, err := openSegment(dir, number)
	if errors.Is(err, fs.ErrNotExist) && gone(dir, number) {
		return nil, trimmedIn(dir)
	}
	return s, err
}

// inspection walks over the segments of a directory.
type inspection struct {
	dir     string
	visitor Visitor
	report  Report
	stopped bool
}

// runFrom runs from the segment of a record. It begins again if that was to be the
// oldest one, and there is another oldest one before it could be read.
func (in *inspection) runFrom(seq uint64) error {
	for {
		start, err := segmentOf(in.dir, seq)
		if err == nil {
			err = in.run(start)
		}
		if seq > 1 || in.report.Segments > 0 || !errors.Is(err, ErrTrimmed) {
			return err
		}
	}
}

func (in *inspection) run(number uint64) error {
	seg, err := openListed(in.dir, number)
	if err != nil {
		return in.withoutHeader(number, err)
	}
	in.report.Journal = seg.header.journal
	if err = begins(seg.header); err == nil && in.report.FirstSegment == number {
		in.report.Removed = seg.header.first - 1
	}
	for err == nil && seg != nil {
		seg, err = in.segment(seg)
	}
	if seg != nil {
		seg.release()
	}
	return err
}

// withoutHeader completes the error of the oldest segment of a trimmed journal whose header
// is bad: no header says which record is the first one, but the batches do.
func (in *inspection) withoutHeader(number uint64, err error) error {
	bad := (*Corruption)(nil)
	numbers, listErr := segmentNumbers(in.dir)
	if number == 1 || !errors.As(err, &bad) || listErr != nil {
		return err
	}
	for _, n := range numbers {
		if first := firstBatch(in.dir, n); first > 0 && (bad.Seq == 0 || first < bad.Seq) {
			bad.Seq = first
		}
	}
	return err
}

// firstBatch returns the number of the first record of the first batch in a segment's file; 0 if
// there is none.
func firstBatch(dir string, number uint64) uint64 {
	f, err := os.Open(segmentPath(dir, number))
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // only read
	w := &walker{src: f}
	_, h, err := w.read(headerSize, maxSegmentSize)
	if err != nil {
		return 0
	}
	return h.first
}

// next returns the number of the first record that was not found good.
func (in *inspection) next() uint64 { return max(in.report.Removed, in.report.Last) + 1 }

// segment verifies s, closes it, and returns its successor, nil if it has none.
func (in *inspection) segment(s *opened) (*opened, error) {
	defer s.release()
	end, next, err := in.endOf(s)
	if errors.Is(err, ErrTrimmed) {
		return nil, err
	}
	w := newWalker(s)
	if walkErr := in.walk(s, w, end.at.end); walkErr != nil {
		err = walkErr // it comes first in the file
	}
	in.report.Segments++
	in.report.Head, in.report.Closed, in.report.Torn = w.at.chain, end.closed, end.torn
	if err == nil && next != nil {
		err = continues(next.header, s.header, w.at)
	}
	return next, err
}

// walk shows the header and the records of s to the visitor.
func (in *inspection) walk(s *opened, w *walker, end int64) error {
	if show := in.visitor.Header; show != nil {
		h := Header{Segment: s.header.number, First: s.header.first, Before: s.header.prev, After: s.start}
		if err := show(h); err != nil {
			return &Corruption{Segment: h.Segment, Seq: h.First, Reason: err.Error()}
		}
	}
	return w.walkTo(end, in.take)
}

// take counts a record and shows it to the visitor.
func (in *inspection) take(r Record) error {
	if err := in.visitor.Record(r); err != nil {
		return err
	}
	in.report.count(r)
	return nil
}

// count takes in the next record.
func (r *Report) count(rec Record) {
	if r.Records == 0 {
		r.First, r.FirstTime = rec.Seq, rec.Time
	}
	r.Records++
	r.Last, r.LastTime = rec.Seq, rec.Time
}

// begins checks the header of the segment that is read first. Segment 1 begins the
// journal; before a later one there was another.
func begins(h segmentHeader) error {
	if h.number == 1 && (h.first != 1 || h.prevEnd != 0 || h.prev != (Hash{})) {
		return &Corruption{Segment: 1, Seq: 1, Reason: "first segment does not begin a journal"}
	}
	if h.first == 0 || h.number > 1 && h.prevEnd < headerSize {
		return &Corruption{Segment: h.number, Seq: max(h.first, 1), Reason: "segment does not say where the one before it ended"}
	}
	return nil
}

// continues checks that h is the header after the segment prev, read up to at.
func continues(h, prev segmentHeader, at position) error {
	if h.journal != prev.journal || h.first != at.next || h.prev != at.chain {
		return &Corruption{Segment: h.number, Seq: at.next, Reason: "segment does not continue the one before it"}
	}
	return nil
}

// endOf finds where the batches of s end: the successor says so if there is
// one. Without one, what looks like corruption may be a live writer going on
// between two looks at the file; it does not look the same twice.
func (in *inspection) endOf(s *opened) (tail, *opened, error) {
	var before error
	for {
		next, err := in.successor(s)
		if next != nil || err != nil {
			return endBefore(s, next), next, err
		}
		end, err := findEnd(s, ignore)
		if next, nextErr := in.successor(s); next != nil || nextErr != nil {
			return endBefore(s, next), next, nextErr
		}
		if bad := (*Corruption)(nil); !errors.As(err, &bad) || sameCorruption(before, err) {
			return end, nil, err
		}
		before = err
		info, statErr := s.Stat()
		if statErr != nil {
			return end, nil, fmt.Errorf("reading journal segment %d: %w", s.header.number, statErr)
		}
		s.length = info.Size()
	}
}

// successor opens the segment after s; nil if there is none. If s itself was removed
// meanwhile, the one after it may have been too.
func (in *inspection) successor(s *opened) (*opened, error) {
	next, err := openSegment(in.dir, s.header.number+1)
	if !errors.Is(err, fs.ErrNotExist) {
		return next, err
	}
	if gone(in.dir, s.header.number) {
		return nil, trimmedIn(in.dir)
	}
	return nil, nil
}

// endBefore is the end of s as its successor states it. If the successor's
// header is bad, the records of s are still read.
func endBefore(s, next *opened) tail {
	if next == nil {
		end, _ := findEnd(s, ignore)
		return end
	}
	return tail{at: position{end: next.header.prevEnd}}
}

func sameCorruption(a, b error) bool {
	var ca, cb *Corruption
	return errors.As(a, &ca) && errors.As(b, &cb) && *ca == *cb
}
