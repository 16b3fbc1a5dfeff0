package journal

import (
	"fmt"
	"os"
	"time"
)

// Segment is what an open journal knows of one of its segments.
type Segment struct {
	// Number is the segment's.
	Number uint64
	// First is the number of the first record that is in it, or will be.
	First uint64
	// Begun is when it was begun: what stands in the segments before it was written
	// no later.
	Begun time.Time
	// Bytes is how much its header and its records take; zero fill is not counted.
	Bytes int64
}

// Segments returns the segments that the journal has, oldest first. The last one is
// being written, or will be followed by another.
func (j *Journal) Segments() []Segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]Segment, len(j.extents))
	for i, e := range j.extents {
		list[i] = e.segment()
	}
	return list
}

func (e extent) segment() Segment {
	return Segment{Number: e.number, First: e.first, Begun: e.begun, Bytes: e.end}
}

// First returns the number of the oldest record left, or of the first one to come
// if there is none.
func (j *Journal) First() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.extents[0].first
}

// Size returns how many bytes the segments take together, as Segment.Bytes counts.
func (j *Journal) Size() int64 {
	var size int64
	for _, s := range j.Segments() {
		size += s.Bytes
	}
	return size
}

// Trimmed says what Trim removed.
type Trimmed struct {
	// Segments and Bytes count what was removed.
	Segments int
	Bytes    int64
	// First is the number of the oldest record left.
	First uint64
}

// Trim removes the oldest segments all of whose records are numbered below before.
// It keeps the segment with the newest record and all after it. announce, if not nil, is
// called once, before anything is removed, with the segment that will be the oldest one
// left; if it fails, nothing is removed. It may append to the journal.
//
// Segments go one by one, each durably before the next, so that what a crash leaves is
// always the end of the journal without a gap. If removing one fails, those before it
// are gone, and are counted. After Close it fails with ErrClosed.
func (j *Journal) Trim(before uint64, announce func(oldest Segment) error) (Trimmed, error) {
	j.trimming.Lock()
	defer j.trimming.Unlock()
	oldest, some, err := j.trimTo(before)
	if err == nil && some && announce != nil {
		err = announce(oldest)
	}
	var t Trimmed
	for err == nil && some {
		some, err = j.removeOldest(oldest.Number, &t)
	}
	t.First = j.First()
	if err != nil {
		return t, fmt.Errorf("trimming the journal: %w", err)
	}
	return t, nil
}

// trimTo returns the segment that is to be the oldest one left, and whether there are
// any before it.
func (j *Journal) trimTo(before uint64) (oldest Segment, some bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return Segment{}, false, ErrClosed
	}
	newest := j.named - 1 // with a record: it is where Open finds the state
	for newest > 0 && j.extents[newest].end == headerSize {
		newest--
	}
	keep := 0
	for keep < newest && j.extents[keep+1].first <= before {
		keep++
	}
	return j.extents[keep].segment(), keep > 0, nil
}

// removeOldest removes the oldest segment if it is below a number, and says whether
// it did. j.trimming is held.
func (j *Journal) removeOldest(below uint64, t *Trimmed) (bool, error) {
	e, ok := j.forgetOldest(below)
	if !ok {
		return false, nil
	}
	// A name whose removal was not synced may come back, and must not do so
	// before a gap.
	if err := j.syncRemoved(); err != nil {
		j.recallOldest(e)
		return false, err
	}
	j.unsynced = true
	if err := j.remove(segmentPath(j.dir, e.number)); err != nil && !os.IsNotExist(err) {
		j.recallOldest(e)
		return false, fmt.Errorf("removing segment %d: %w", e.number, err)
	}
	t.Segments++
	t.Bytes += e.end
	return true, j.syncRemoved()
}

// forgetOldest takes the oldest segment, if it is below a number, from what readers
// of the open journal know. It goes before the file does.
func (j *Journal) forgetOldest(below uint64) (extent, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.extents[0]
	if e.number >= below {
		return e, false
	}
	j.extents = j.extents[1:]
	j.named--
	return e, true
}

// recallOldest undoes forgetOldest.
func (j *Journal) recallOldest(e extent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.extents = append([]extent{e}, j.extents...)
	j.named++
}

func (j *Journal) syncRemoved() error {
	if !j.unsynced {
		return nil
	}
	if err := j.syncDir(j.dir); err != nil {
		return fmt.Errorf("making the removal of a segment durable: %w", err)
	}
	j.unsynced = false
	return nil
}

// unlock frees the directory, and not while Trim removes files there.
func (j *Journal) unlock() error {
	j.trimming.Lock()
	defer j.trimming.Unlock()
	return j.lock.Close()
}

// trimmedTo is the error of a reader whose records were removed.
func trimmedTo(first uint64) error {
	return fmt.Errorf("%w: record %d is the oldest one left", ErrTrimmed, first)
}

// trimmedIn is the same where no open journal knows the oldest record.
func trimmedIn(dir string) error {
	numbers, err := listSegments(dir)
	if err != nil {
		return err
	}
	if len(numbers) == 0 {
		return noJournal(dir)
	}
	s, err := openSegment(dir, numbers[0])
	if err != nil {
		return fmt.Errorf("%w: segment %d is the oldest one left", ErrTrimmed, numbers[0])
	}
	defer s.release()
	return trimmedTo(s.header.first)
}

// gone says whether a segment's file is there no more.
func gone(dir string, number uint64) bool {
	_, err := os.Lstat(segmentPath(dir, number))
	return os.IsNotExist(err)
}
