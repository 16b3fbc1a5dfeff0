package journal

import (
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// TornTail is bytes behind the last record that are no whole batch: what a write
// that never finished left, or what became of the last batch if somebody altered
// it. An older head tells which, see Recovery.Head.
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
	// FirstSegment is the number of the oldest segment left, 0 if there is none.
	FirstSegment uint64
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
	observe func(Record) error // the State's
	end     tail
	id      ID
	extents []extent // oldest first
	lengths []int64  // of their files
}

// recoverDir looks at every segment's header and reads the newest segment.
func recoverDir(o Options) (recovered, error) {
	r := recovered{dir: o.Dir, id: o.newID(), observe: ignore, end: tail{at: position{next: 1}, closed: true}}
	if o.State != nil {
		r.observe = o.State.Observe
	}
	if err := removePrepared(o.Dir); err != nil {
		return r, err
	}
	numbers, err := listSegments(o.Dir)
	if err != nil {
		return r, err
	}
	var prev segmentHeader
	for _, n := range numbers {
		if prev, err = r.add(n, prev, n == numbers[len(numbers)-1]); err != nil {
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
	r.extents = append(r.extents, extent{number: n, first: s.header.first, begun: s.header.created, end: headerSize})
	r.lengths = append(r.lengths, s.length)
	if newest {
		r.end, err = findEnd(s, r.observe)
		r.extents[len(r.extents)-1].end = r.end.at.end
	}
	return s.header, err
}

// link checks what can be checked without reading the segment before h, and
// notes where that one ends.
func (r *recovered) link(h, prev segmentHeader) error {
	if len(r.extents) == 0 {
		return begins(h)
	}
	before := &r.extents[len(r.extents)-1]
	if h.journal != prev.journal || h.first < prev.first || h.prevEnd > r.lengths[len(r.lengths)-1] {
		return &Corruption{Segment: h.number, Seq: h.first, Reason: "segment does not continue the one before it"}
	}
	before.end = h.prevEnd
	return nil
}

// restore folds the records of the newest segment that has any into state: its
// first ones are a checkpoint. Those of the very newest one were shown to it
// when its end was looked for.
func (r *recovered) restore(state State) error {
	for i := len(r.extents) - 1; i >= 0 && state != nil; i-- {
		if e := r.extents[i]; e.end > headerSize {
			if i == len(r.extents)-1 {
				return nil
			}
			return r.replay(e, state)
		}
	}
	return nil
}

// rewriteLast writes the last batch again if nothing shows that it is durable:
// its write may have failed and its bytes may stand in the page cache alone,
// where the kernel keeps them without ever writing them again. The next segment
// must not stand on what a power cut takes away.
func (r *recovered) rewriteLast(open openFunc) error {
	last := r.end.last
	if r.end.closed || len(last) == 0 {
		return nil
	}
	number := r.end.at.segment
	f, err := open(segmentPath(r.dir, number), os.O_WRONLY|unix.O_DSYNC, 0)
	if err == nil {
		_, err = f.WriteAt(last, r.end.at.end-int64(len(last)))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("making the last batch of journal segment %d durable: %w", number, err)
	}
	return nil
}

func (r *recovered) replay(e extent, state State) error {
	s, err := openSegment(r.dir, e.number)
	if err != nil {
		return err
	}
	defer s.release()
	return newWalker(s).walkTo(e.end, state.Observe)
}

// cutOff truncates the segments at their ends. It runs when the next
// segment's header is durable and states the end of the last one.
func (r *recovered) cutOff(log hclog.Logger) {
	for i, e := range r.extents {
		if r.lengths[i] <= e.end {
			continue
		}
		if err := truncate(segmentPath(r.dir, e.number), e.end); err != nil {
			log.Warn("cannot truncate an old journal segment", "segment", e.number, "error", err)
		}
	}
}

// truncate cuts a file off at size, durably.
func truncate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}

func (r *recovered) report() Recovery {
	var first uint64
	if len(r.extents) > 0 {
		first = r.extents[0].number
	}
	return Recovery{
		FirstSegment: first,
		Journal:      r.id, New: len(r.extents) == 0, Clean: r.end.closed,
		LastSeq: r.end.at.next - 1, Head: r.end.at.chain, Torn: r.end.torn,
	}
}
