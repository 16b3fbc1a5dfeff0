package journal

import (
	"errors"
)

// Reader reads the durable records of an open journal in order, a batch at a time and without
// waiting, for one goroutine that reads all of them.
type Reader struct {
	cursor  *cursor
	records []Record
}

// Reader returns a reader of the records from number from on; from 0 or 1 on means from the oldest
// one left. It is to be closed, before or after the journal.
func (j *Journal) Reader(from uint64) *Reader { return &Reader{cursor: j.cursor(from, 0, nil)} }

// Next returns the records that were written together next, or none if no more are durable now. They
// are valid until the call after it. It fails with ErrTrimmed if the next record was removed, and
// with ErrClosed if there are no more and the journal is closed.
func (r *Reader) Next() ([]Record, error) {
	ended := r.cursor.j.hasEnded() // first: what is durable then is there to be read
	r.records = r.records[:0]
	for len(r.records) == 0 {
		atEnd, err := r.batch()
		if r.cursor.next == 0 && errors.Is(err, ErrTrimmed) {
			continue // there is another oldest one meanwhile
		}
		if err == nil && atEnd && ended {
			err = ErrClosed
		}
		if err != nil {
			return nil, err
		}
		if atEnd {
			return nil, nil
		}
	}
	return r.records, nil
}

// batch reads a batch of the segment that the cursor is in, or goes on to the next segment.
func (r *Reader) batch() (atEnd bool, err error) {
	c := r.cursor
	e, newest, err := c.extent()
	if err == nil {
		err = c.open(e)
	}
	switch {
	case err != nil:
		return false, err
	case c.w.at.end < e.end:
		err = c.w.walkOne(e.end, r.take)
		c.next = max(c.next, c.w.at.next)
	case newest:
		return true, nil
	default:
		c.close()
		c.number++
	}
	return false, err
}

func (r *Reader) take(record Record) error {
	if record.Seq >= r.cursor.from {
		r.records = append(r.records, record)
	}
	return nil
}

// Close closes the file that is being read.
func (r *Reader) Close() { r.cursor.close() }

func (j *Journal) hasEnded() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ended
}
