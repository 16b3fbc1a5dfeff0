package journal

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"math"
	"slices"
	"sort"
)

// Follow yields the durable records from number from on and then new ones as
// they become durable, until ctx ends or the journal is closed; it yields that
// error last. From 0 or 1 on means from the oldest one left; if another one was
// removed by Trim, or is before Follow comes to it, that is ErrTrimmed.
func (j *Journal) Follow(ctx context.Context, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		c := j.cursor(from, math.MaxUint64, yield)
		defer c.close()
		for {
			changed, ended := j.watch()
			err := c.drain()
			if err == nil && ended {
				err = ErrClosed
			}
			if err == nil {
				select {
				case <-changed:
				case <-ctx.Done():
					err = ctx.Err()
				}
			}
			if err != nil {
				c.fail(err)
				return
			}
		}
	}
}

// Scan yields the durable records from number from on, as Follow does, and ends after
// those that were durable when the iteration began. An error is yielded last.
func (j *Journal) Scan(from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		c := j.cursor(from, j.Head().Seq, yield)
		defer c.close()
		if err := c.drain(); err != nil {
			c.fail(err)
		}
	}
}

// Starts returns the number of the first record of each segment, in order, for
// readers that look for something from the end.
func (j *Journal) Starts() []uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	starts := make([]uint64, len(j.extents))
	for i, e := range j.extents {
		starts[i] = e.first
	}
	return starts
}

// watch returns a channel that is closed at the next change, and whether there
// will be none.
func (j *Journal) watch() (<-chan struct{}, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.changed == nil {
		j.changed = make(chan struct{})
	}
	return j.changed, j.ended
}

// endFollowers tells those who wait that nothing comes any more.
func (j *Journal) endFollowers() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	j.broadcast()
}

// extend adds the segment that is written from now on.
func (j *Journal) extend(e extent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.extents = append(j.extents, e)
}

// cursor reads the durable records of a live journal in order.
type cursor struct {
	j        *Journal
	from, to uint64
	yield    func(Record, error) bool
	stopped  bool
	number   uint64  // of the segment; 0 before the first one
	next     uint64  // number of the record that comes next; 0: of the oldest one left
	w        *walker // nil until the segment is open
}

func (j *Journal) cursor(from, to uint64, yield func(Record, error) bool) *cursor {
	c := &cursor{j: j, from: from, to: to, yield: yield}
	if from > 1 {
		c.next = from
	}
	return c
}

// drain yields what is durable. It ends early when the consumer does or at
// record c.to, both with errStopped.
func (c *cursor) drain() error {
	for {
		e, newest, err := c.extent()
		if err == nil {
			err = c.segment(e)
		}
		if c.next == 0 && errors.Is(err, ErrTrimmed) {
			continue // there is another oldest one meanwhile
		}
		if err != nil || newest {
			return err
		}
		c.close()
		c.number++
	}
}

// extent returns the segment that the cursor is in, and whether it is the newest one.
func (c *cursor) extent() (e extent, newest bool, err error) {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	list := c.j.extents
	if c.next > 0 && c.next < list[0].first {
		return extent{}, false, trimmedTo(list[0].first)
	}
	if c.number < list[0].number {
		c.close() // what was removed had been read
		later := sort.Search(len(list), func(i int) bool { return list[i].first > c.next })
		c.number = list[max(later-1, 0)].number
	}
	i := c.number - list[0].number
	return list[i], i == uint64(len(list))-1, nil
}

// segment yields what is durable of one segment.
func (c *cursor) segment(e extent) error {
	if err := c.open(e); err != nil {
		return err
	}
	err := c.w.walkTo(e.end, c.take)
	c.next = max(c.next, c.w.at.next)
	if c.stopped {
		return errStopped
	}
	return err
}

// open opens the segment, if it is not open.
func (c *cursor) open(e extent) error {
	if c.w != nil {
		return nil
	}
	s, err := openSegment(c.j.dir, e.number)
	if errors.Is(err, fs.ErrNotExist) && e.first < c.j.First() {
		return trimmedTo(c.j.First())
	}
	if err != nil {
		return err
	}
	c.w = newWalker(s)
	return nil
}

func (c *cursor) take(r Record) error {
	if r.Seq < c.from {
		return nil
	}
	r.Body = slices.Clone(r.Body)
	if r.Seq > c.to || !c.yield(r, nil) {
		c.stopped = true
		return errStopped
	}
	return nil
}

// fail yields err, unless it only says that the consumer stopped.
func (c *cursor) fail(err error) {
	if !errors.Is(err, errStopped) {
		c.yield(Record{}, err)
	}
}

func (c *cursor) close() {
	if c.w != nil {
		c.w.seg.release()
		c.w = nil
	}
}
