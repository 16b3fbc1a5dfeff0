package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"sort"
	"time"
)

// Report is what Verify found in a good journal, or before the first bad
// record.
type Report struct {
	// Journal is the journal's id.
	Journal ID
	// Segments and Records count them.
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

// Verify reads the journal in dir and checks every byte. An error is a
// *Corruption if the journal is at fault. It may run beside a live writer, and
// then reports on the records that were durable on its way.
func Verify(dir string) (Report, error) { return Inspect(dir, ignore) }

// Inspect does what Verify does and shows each record to visit, in order. An
// error of visit is reported as a Corruption at that record. The record's body
// is only valid during the call.
func Inspect(dir string, visit func(Record) error) (Report, error) {
	in := &inspection{dir: dir, visit: visit}
	numbers, err := listSegments(dir)
	if len(numbers) > 0 && numbers[0] == 1 {
		err = firstBad(in.run(1), err)
	} else if err == nil {
		err = fmt.Errorf("no journal in %s: %w", dir, fs.ErrNotExist)
	}
	if bad := (*Corruption)(nil); errors.As(err, &bad) && bad.Seq == 0 {
		bad.Seq = in.report.Last + 1
	}
	return in.report, err
}

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
// needs no open Journal, and may run beside one. An error is yielded last.
func Read(dir string, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		in := &inspection{dir: dir}
		in.visit = func(r Record) error {
			r.Body = slices.Clone(r.Body)
			if r.Seq >= from && !yield(r, nil) {
				in.stopped = true
				return errStopped
			}
			return nil
		}
		start, err := segmentOf(dir, from)
		if err == nil {
			err = in.run(start)
		}
		if err != nil && !in.stopped {
			yield(Record{}, err)
		}
	}
}

var errStopped = errors.New("reader stopped")

// segmentOf returns the number of the segment that holds record seq, or would.
func segmentOf(dir string, seq uint64) (uint64, error) {
	numbers, err := listSegments(dir)
	if err != nil {
		return 0, err
	}
	var bad error
	later := sort.Search(len(numbers), func(i int) bool {
		s, err := openSegment(dir, numbers[i])
		if err != nil {
			bad = err
			return true
		}
		defer s.release()
		return s.header.first > seq
	})
	return uint64(max(later, 1)), bad
}

// inspection walks over the segments of a directory.
type inspection struct {
	dir     string
	visit   func(Record) error
	report  Report
	stopped bool
}

func (in *inspection) run(number uint64) error {
	seg, err := openSegment(in.dir, number)
	if err != nil {
		return err
	}
	in.report.Journal = seg.header.journal
	if number == 1 {
		err = beginsJournal(seg.header)
	}
	for err == nil && seg != nil {
		seg, err = in.segment(seg)
	}
	if seg != nil {
		seg.release()
	}
	return err
}

// segment verifies s, closes it, and returns its successor, nil if it has none.
func (in *inspection) segment(s *opened) (*opened, error) {
	defer s.release()
	end, next, err := in.endOf(s)
	w := newWalker(s)
	if walkErr := w.walkTo(end.at.end, in.take); walkErr != nil {
		err = walkErr // it comes first in the file
	}
	in.report.Segments++
	in.report.Head, in.report.Closed, in.report.Torn = w.at.chain, end.closed, end.torn
	if err == nil && next != nil {
		err = continues(next.header, s.header, w.at)
	}
	return next, err
}

// take counts a record and shows it to the visitor.
func (in *inspection) take(r Record) error {
	if err := in.visit(r); err != nil {
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

// beginsJournal checks the header of segment 1.
func beginsJournal(h segmentHeader) error {
	if h.first != 1 || h.prevEnd != 0 || h.prev != (Hash{}) {
		return &Corruption{Segment: 1, Seq: 1, Reason: "first segment does not begin a journal"}
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

// successor opens the segment after s; nil if there is none.
func (in *inspection) successor(s *opened) (*opened, error) {
	next, err := openSegment(in.dir, s.header.number+1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return next, err
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
