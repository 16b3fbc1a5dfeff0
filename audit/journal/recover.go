package journal

import (
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
)

// TornTail is what a write that never finished left behind the last record.
type TornTail struct {
	// Segment is the number of the segment file.
	Segment uint64
	// Offset is where the journal ends in it, and Bytes how far the remains
	// reach from there, in bytes.
	Offset, Bytes int64
}

// Recovery is what Open found.
type Recovery struct {
	// Journal is the journal's id.
	Journal ID
	// New says that there was no journal.
	New bool
	// Clean says that the journal was new or closed properly.
	Clean bool
	// LastSeq is the number of the newest record, 0 if none.
	LastSeq uint64
	// Head is the chain's value after it.
	Head Hash
	// Torn is the torn tail that was cut off, nil if there was none.
	Torn *TornTail
}

// recovered is a journal's directory as Open found it.
type recovered struct {
	dir     string
	end     tail
	id      ID
	extents []extent // oldest first
	lengths []int64  // of their files
}

// recoverDir looks at every segment's header and reads the newest segment.
func recoverDir(o Options) (recovered, error) {
	r := recovered{dir: o.Dir, id: o.newID(), end: tail{at: position{next: 1}, closed: true}}
	if err := removePrepared(o.Dir); err != nil {
		return r, err
	}
	numbers, err := listSegments(o.Dir)
	if err != nil {
		return r, err
	}
	var prev segmentHeader
	for _, n := range numbers {
		if prev, err = r.add(n, prev, n == uint64(len(numbers))); err != nil {
			return r, err
		}
	}
	return r, nil
}

// add takes in segment n, which comes after prev.
func (r *recovered) add(n uint64, prev segmentHeader, newest bool) (segmentHeader, error) {
	s, err := openSegment(r.dir, n)
	if err != nil {
		return segmentHeader{}, err
	}
	defer s.release()
	if err := r.link(s.header, prev); err != nil {
		return s.header, err
	}
	r.id = s.header.journal
	r.extents = append(r.extents, extent{number: n, first: s.header.first, end: headerSize})
	r.lengths = append(r.lengths, s.length)
	if newest {
		r.end, err = findEnd(s)
		r.extents[n-1].end = r.end.at.end
	}
	return s.header, err
}

// link checks what can be checked without reading the segment before h, and
// notes where that one ends.
func (r *recovered) link(h, prev segmentHeader) error {
	if h.number == 1 {
		return nil
	}
	before := &r.extents[len(r.extents)-1]
	if h.journal != prev.journal || h.first < prev.first || h.prevEnd > r.lengths[len(r.lengths)-1] {
		return &Corruption{Segment: h.number, Seq: h.first, Reason: "segment does not continue the one before it"}
	}
	before.end = h.prevEnd
	return nil
}

// restore folds the records of the newest segment that has any into state: its
// first ones are a checkpoint.
func (r *recovered) restore(state State) error {
	for i := len(r.extents) - 1; i >= 0 && state != nil; i-- {
		if e := r.extents[i]; e.end > headerSize {
			return r.replay(e, state)
		}
	}
	return nil
}

func (r *recovered) replay(e extent, state State) error {
	s, err := openSegment(r.dir, e.number)
	if err != nil {
		return err
	}
	defer s.release()
	return newWalker(s).walkTo(e.end, func(rec Record) error {
		state.Observe(rec)
		return nil
	})
}

// trim cuts off what lies behind the segments' ends. It runs when the next
// segment's header is durable and states the end of the last one.
func (r *recovered) trim(log hclog.Logger) {
	for i, e := range r.extents {
		if r.lengths[i] <= e.end {
			continue
		}
		if err := os.Truncate(segmentPath(r.dir, e.number), e.end); err != nil {
			log.Warn("cannot truncate an old journal segment", "segment", e.number, "error", err)
		}
	}
}

func (r *recovered) report() Recovery {
	return Recovery{
		Journal: r.id, New: len(r.extents) == 0, Clean: r.end.closed,
		LastSeq: r.end.at.next - 1, Head: r.end.at.chain, Torn: r.end.torn,
	}
}

// logTorn reports a torn tail: it is no fault, but people should know.
func (r *recovered) logTorn(log hclog.Logger) {
	if t := r.end.torn; t != nil {
		log.Warn("cut off a journal write that never finished", "segment", t.Segment,
			"offset", t.Offset, "bytes", t.Bytes, "after", fmt.Sprintf("record %d", r.end.at.next-1))
	}
}
