package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Head names a point of the journal.
type Head struct {
	// Seq is the number of the newest durable record; 0 if there is none.
	Seq uint64
	// Hash is the chain's value after it and after the header of the segment
	// being written: it stands for all that the journal holds.
	Hash Hash
}

// Journal is an open journal. Its methods may be called from many goroutines.
type Journal struct {
	dir      string
	id       ID
	lock     *os.File
	maxBatch int // encoded bytes of one batch
	stall    time.Duration
	requests sync.Pool
	// maxQueued is how many bytes may wait for the writer.
	maxQueued int

	// wake tells the writer that queue or closed changed.
	wake chan struct{}
	// done is closed when the writer has ended; closeErr is set before.
	done     chan struct{}
	closeErr error

	// trimming is held by Trim, and taken before mu. It guards unsynced: a removed
	// segment's name may come back after a power cut.
	trimming sync.Mutex
	unsynced bool
	remove   func(path string) error
	syncDir  func(dir string) error

	mu      sync.Mutex
	queue   []*group
	queued  int // bytes of the groups in queue
	waiting int // callers of them
	free    []*group
	closed  bool          // no more appends
	ended   bool          // no more records
	fault   error         // why nothing can be appended
	busy    time.Time     // since when the writer is at a group; zero if it is not
	head    Head          // durable
	extents []extent      // every segment that is left, oldest first
	named   int           // how many of extents are a durable part of the journal
	changed chan struct{} // closed at the next change of head, if anybody waits
}

// extent is what readers of a live journal know of a segment.
type extent struct {
	number uint64
	first  uint64 // sequence number of its first record
	begun  time.Time
	end    int64 // of its durable batches
}

// group is what becomes one batch.
type group struct {
	buf     []byte // room for the batch header, then records
	records int
	callers []*request
}

// request is one Append that waits.
type request struct {
	before int // records of the group before this caller's
	first  uint64
	done   chan error // holds one
}

// Append writes the entries as consecutive records of one batch and returns
// the number of the first one when all are durable. Callers share writes.
//
// If ctx ends first, Append returns its error, and the entries may be written
// or not. Other errors are ErrTooLarge, ErrClosed and ErrUnavailable.
func (j *Journal) Append(ctx context.Context, entries ...Entry) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("appending to the journal: %w", err)
	}
	p, err := j.Submit(entries...)
	if err != nil {
		return 0, err
	}
	return p.Wait(ctx)
}

// Pending is an append whose place in the journal is taken: what is submitted
// later stands behind it. It is to be waited for once.
type Pending struct {
	j *Journal
	r *request
}

// Submit is Append that does not wait.
func (j *Journal) Submit(entries ...Entry) (Pending, error) {
	size, err := j.encodedSize(entries)
	if err != nil {
		return Pending{}, err
	}
	r, err := j.enqueue(entries, size)
	if err != nil {
		return Pending{}, err
	}
	return Pending{j, r}, nil
}

// Wait returns the number of the first record when all are durable, or an error
// of Append.
func (p Pending) Wait(ctx context.Context) (uint64, error) {
	select {
	case err := <-p.r.done:
		first := p.r.first
		p.j.requests.Put(p.r)
		if err != nil {
			return 0, err
		}
		return first, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("waiting for the journal: %w", ctx.Err())
	}
}

func (j *Journal) encodedSize(entries []Entry) (int, error) {
	if len(entries) == 0 {
		return 0, errors.New("nothing to append to the journal")
	}
	size := 0
	for _, e := range entries {
		size += recordOverhead + len(e.Body)
	}
	if size > j.maxBatch-batchHeaderSize {
		return 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, j.maxBatch-batchHeaderSize)
	}
	return size, nil
}

// enqueue adds the entries to the group that is gathering.
func (j *Journal) enqueue(entries []Entry, size int) (*request, error) {
	r, ok := j.requests.Get().(*request)
	if !ok {
		r = &request{done: make(chan error, 1)}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return nil, ErrClosed
	case j.queued+size > j.maxQueued:
		return nil, fmt.Errorf("%w: %d bytes wait to be written", ErrUnavailable, j.queued)
	}
	g := j.gathering(size)
	j.queued += size
	r.before = g.records
	for _, e := range entries {
		g.buf = appendRecord(g.buf, e)
	}
	g.records += len(entries)
	g.callers = append(g.callers, r)
	j.waiting++
	signal(j.wake)
	return r, nil
}

// gathering returns the newest group of the queue, or a new one if size more
// bytes do not fit. j.mu is held.
func (j *Journal) gathering(size int) *group {
	if n := len(j.queue); n > 0 && len(j.queue[n-1].buf)+size <= j.maxBatch {
		return j.queue[n-1]
	}
	var g *group
	if n := len(j.free); n > 0 {
		g, j.free = j.free[n-1], j.free[:n-1]
	} else {
		g = &group{buf: make([]byte, batchHeaderSize)}
	}
	j.queue = append(j.queue, g)
	return g
}

// signal wakes the writer through a channel of capacity one; it need not be
// waiting.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// next takes the oldest group off the queue, or nil, and says whether Close
// was called.
func (j *Journal) next() (*group, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 {
		return nil, j.closed
	}
	g := j.queue[0]
	j.queue[0] = nil
	j.queue = j.queue[1:]
	j.queued -= len(g.buf) - batchHeaderSize
	j.waiting -= len(g.callers)
	j.busy = time.Now()
	return g, j.closed
}

// maxKept bounds the buffers that are kept for reuse, in bytes.
const maxKept = 1 << 20

// settle answers the callers of g and keeps its memory.
func (j *Journal) settle(g *group, first uint64, err error) {
	for _, r := range g.callers {
		r.first = first + uint64(r.before)
		r.done <- err
	}
	clear(g.callers)
	g.buf, g.records, g.callers = g.buf[:batchHeaderSize], 0, g.callers[:0]
	clear(g.buf)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.busy = time.Time{}
	if len(j.free) < 2 && cap(g.buf) <= maxKept {
		j.free = append(j.free, g)
	}
}

// Healthy returns nil, or why nothing can be appended: ErrClosed, or
// ErrUnavailable with its cause, which may be a disk that does not answer.
func (j *Journal) Healthy() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	if waited := time.Since(j.busy); j.fault == nil && !j.busy.IsZero() && waited > j.stall {
		return fmt.Errorf("%w: a write has taken %v so far", ErrUnavailable, waited.Round(time.Millisecond))
	}
	return j.fault
}

// Head returns the newest durable point.
func (j *Journal) Head() Head {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.head
}

// Close writes what is queued, marks the end of the journal and frees the
// directory. If ctx ends before, it returns the error of ctx and closing goes
// on. Appends that begin after it fail with ErrClosed. Closing again waits for
// the same end and returns the same result.
func (j *Journal) Close(ctx context.Context) error {
	j.mu.Lock()
	j.closed = true
	signal(j.wake)
	j.mu.Unlock()
	select {
	case <-j.done:
		return j.closeErr
	case <-ctx.Done():
		return fmt.Errorf("closing the journal: %w", ctx.Err())
	}
}

// publish makes everything up to head and the end of the newest segment
// visible to readers.
func (j *Journal) publish(head Head, end int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.head = head
	j.extents[len(j.extents)-1].end = end
	j.named = len(j.extents)
	j.broadcast()
}

// broadcast wakes those who wait for a change. j.mu is held.
func (j *Journal) broadcast() {
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

func (j *Journal) currentFault() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fault
}

func (j *Journal) setFault(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fault = err
}
