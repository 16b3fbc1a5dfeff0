package journal

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// position is a point between two batches, as the next header states it.
type position struct {
	segment uint64 // 0 before the first segment
	end     int64
	next    uint64 // sequence number of the next record
	chain   Hash
}

// active is the segment being written.
type active struct {
	file file
	path string
	size int64
}

// writer is the one goroutine that writes. Only it touches its fields.
type writer struct {
	j    *Journal
	opts Options
	id   ID
	prep *preparer

	// at is the end of the durable batches, in the newest segment.
	at      position
	seg     *active   // the newest segment; nil after a fault
	retired []retired // to be truncated once their end stands in a header
	broken  error     // why the State is not what the records say

	faulting bool // since faultAt nothing can be written
	faultAt  time.Time
	pause    time.Duration // from then to the next attempt
	retry    *time.Timer
}

// run writes groups until the journal is closed and its queue is empty.
func (w *writer) run() {
	defer close(w.j.done)
	for {
		w.j.gather()
		g, closed := w.j.next()
		switch {
		case g != nil:
			w.commit(g)
			continue
		case closed:
			w.j.closeErr = w.finish()
			return
		}
		select {
		case <-w.j.wake:
		case <-w.retry.C:
			_ = w.note(w.rotate()) // no caller waits for it
		}
	}
}

// commit writes g, on a second segment if the first one fails, and answers its
// callers. After a fault it answers at once until it is time to try again, once.
func (w *writer) commit(g *group) {
	if w.faulting && time.Since(w.faultAt) < w.pause {
		w.j.settle(g, 0, w.j.currentFault())
		return
	}
	err := w.attempt(g)
	if err != nil && !w.faulting {
		w.opts.Logger.Warn("journal write failed, trying once more", "error", err)
		err = w.attempt(g)
	}
	first := w.at.next - uint64(g.records)
	w.j.settle(g, first, w.note(err))
}

// note records whether the journal can be written, and returns the error for
// callers. While it cannot, the writer tries again by itself, ever more rarely.
func (w *writer) note(err error) error {
	switch {
	case err != nil:
		return w.fail(fmt.Errorf("%w: %w", ErrUnavailable, err))
	case w.broken != nil:
		_ = w.fail(fmt.Errorf("%w: %w", ErrUnavailable, w.broken)) // what was written stands
	case w.faulting:
		w.opts.Logger.Info("journal is available again")
		w.retry.Stop()
		w.faulting = false
		w.j.setFault(nil)
	}
	return nil
}

// fail records why nothing can be written, and when to try again.
func (w *writer) fail(err error) error {
	if w.faulting {
		w.pause = min(2*w.pause, w.opts.maxRetry())
	} else {
		w.pause = w.opts.retry
		w.opts.Logger.Error("journal is unavailable", "error", err)
	}
	w.faulting, w.faultAt = true, time.Now()
	w.retry.Reset(w.pause)
	w.j.setFault(err)
	return err
}

func (w *writer) attempt(g *group) error {
	if w.broken != nil {
		return w.broken
	}
	if !w.fits(len(g.buf)) {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	if !w.fits(len(g.buf)) {
		return fmt.Errorf("%w: batch of %d bytes behind a checkpoint", ErrTooLarge, len(g.buf))
	}
	return w.put(g)
}

// fits says whether a batch of n bytes and a seal have room in the segment.
func (w *writer) fits(n int) bool {
	return w.seg != nil && w.at.end+roundUp(int64(n))+sectorSize <= w.seg.size
}

// put completes g and writes it as one batch. If that fails, the segment's
// bytes after w.at are unknown and it is given up.
func (w *writer) put(g *group) error {
	now := w.opts.now()
	head := completeBatch(g.buf, batchRecords, g.records, w.at.next, now, w.at.chain)
	if err := w.write(g); err != nil {
		w.giveUp()
		return err
	}
	w.at.end += roundUp(int64(len(g.buf)))
	w.at.next += uint64(g.records)
	w.at.chain = head
	w.observe(g.buf)
	w.j.publish(w.head(), w.at.end)
	return nil
}

func (w *writer) head() Head { return Head{Seq: w.at.next - 1, Hash: w.at.chain} }

// write writes g, padded to whole sectors, at the end of the segment. The file
// is open with O_DSYNC: what is written is durable.
func (w *writer) write(g *group) error {
	n := len(g.buf)
	g.buf = append(g.buf, make([]byte, roundUp(int64(n))-int64(n))...)
	_, err := w.seg.file.WriteAt(g.buf, w.at.end)
	g.buf = g.buf[:n] // keeps the room for the padding
	if err != nil {
		return fmt.Errorf("writing journal segment %d: %w", w.at.segment, err)
	}
	return nil
}

// observe shows the records of a batch that was just made to the state. If it
// refuses one the batch stands, and its callers are told so, but no other follows.
func (w *writer) observe(buf []byte) {
	if w.opts.State == nil {
		return
	}
	for off := batchHeaderSize; off < len(buf) && w.broken == nil; {
		r, end := recordAt(buf, off)
		if err := w.opts.State.Observe(r); err != nil {
			w.broken = fmt.Errorf("record %d does not fit the state: %w", r.Seq, err)
		}
		off = end
	}
}

// rotate goes on in a fresh segment.
func (w *writer) rotate() error {
	if w.broken != nil {
		return w.broken
	}
	state, err := w.checkpoint()
	if err != nil {
		return err
	}
	path, err := w.prep.take()
	if err != nil {
		return err
	}
	defer w.prep.poke() // only now, so that it trims before it prepares the next
	if w.seg != nil {
		w.giveUp()
	}
	return w.continueIn(path, w.opts.SegmentSize, state)
}

// continueIn makes the prepared file at path the next segment and writes the
// checkpoint there, if there is one. After an error there is no active segment.
func (w *writer) continueIn(path string, size int64, state *group) error {
	if err := w.begin(path, size); err != nil {
		return err
	}
	switch {
	case state.records == 0:
		return nil
	case !w.fits(len(state.buf)):
		w.giveUp()
		return fmt.Errorf("%w: checkpoint of %d bytes", ErrTooLarge, len(state.buf))
	}
	return w.put(state)
}

// giveUp ends the active segment at w.at.
func (w *writer) giveUp() {
	w.retired = append(w.retired, retired{file: w.seg.file, path: w.seg.path, end: w.at.end})
	w.seg = nil
}

// begin makes the prepared file at path the next segment. The header is
// durable before the file gets its name, and the name before the first batch.
// A file that has its name is a part of the journal, whatever fails then.
func (w *writer) begin(path string, size int64) error {
	h := segmentHeader{
		journal: w.id, number: w.at.segment + 1, first: w.at.next, size: size,
		prevEnd: w.at.end, created: w.opts.now(), prev: w.at.chain,
	}
	name := segmentPath(w.opts.Dir, h.number)
	f, chain, err := w.install(h, path, name)
	if err != nil {
		_ = os.Remove(path) // Open removes it otherwise
		return fmt.Errorf("beginning journal segment %d: %w", h.number, err)
	}
	w.seg = &active{file: f, path: name, size: size}
	w.at = position{segment: h.number, end: headerSize, next: h.first, chain: chain}
	w.j.extend(extent{number: h.number, first: h.first, begun: h.created, end: headerSize})
	if err := w.opts.syncDir(w.opts.Dir); err != nil {
		w.giveUp()
		return fmt.Errorf("making the name of journal segment %d durable: %w", h.number, err)
	}
	w.j.publish(w.head(), w.at.end)
	w.releaseRetired()
	return nil
}

// install writes the header of a segment to the prepared file at path and gives
// the file its name.
func (w *writer) install(h segmentHeader, path, name string) (file, Hash, error) {
	f, err := w.opts.open(path, os.O_WRONLY|unix.O_DSYNC, 0)
	if err != nil {
		return nil, Hash{}, err
	}
	sector, chain := h.encode()
	if _, err = f.WriteAt(sector, 0); err == nil {
		err = os.Rename(path, name)
	}
	if err != nil {
		return nil, Hash{}, errors.Join(err, f.Close())
	}
	return f, chain, nil
}

// releaseRetired has the segments truncated whose end the new header states.
// Not before: a segment that is cut short without a successor is corrupt.
func (w *writer) releaseRetired() {
	for _, r := range w.retired {
		w.prep.retire(r)
	}
	w.retired = nil
}

// closeRetired closes the segments that no header follows yet.
func (w *writer) closeRetired() error {
	var err error
	for _, r := range w.retired {
		err = errors.Join(err, r.file.Close())
	}
	w.retired = nil
	return err
}

// checkpoint returns the state's checkpoint as a batch; one without records if
// there is none.
func (w *writer) checkpoint() (*group, error) {
	g := &group{buf: make([]byte, batchHeaderSize)}
	if w.opts.State == nil {
		return g, nil
	}
	entries, err := w.opts.State.Checkpoint()
	if err != nil {
		return nil, fmt.Errorf("making a checkpoint: %w", err)
	}
	for _, e := range entries {
		g.buf = appendRecord(g.buf, e)
	}
	g.records = len(entries)
	if len(g.buf) > w.opts.maxBatch() {
		return nil, fmt.Errorf("%w: checkpoint of %d bytes", ErrTooLarge, len(g.buf))
	}
	return g, nil
}

// finish seals the journal and frees its directory.
func (w *writer) finish() error {
	w.retry.Stop()
	err := errors.Join(w.seal(), w.closeRetired(), w.prep.close(), w.j.unlock())
	w.j.endFollowers()
	if err != nil {
		return fmt.Errorf("closing the journal: %w", err)
	}
	return nil
}

// seal marks the end, so that a missing last record is noticed, and cuts the
// zero fill off.
func (w *writer) seal() error {
	if w.seg == nil {
		return nil
	}
	seal := &group{buf: make([]byte, batchHeaderSize)}
	completeBatch(seal.buf, batchSeal, 0, w.at.next, w.opts.now(), w.at.chain)
	err := w.write(seal)
	if err == nil {
		err = w.seg.file.Truncate(w.at.end + sectorSize)
	}
	if err == nil {
		err = w.seg.file.Sync()
	}
	return errors.Join(err, w.seg.file.Close())
}
