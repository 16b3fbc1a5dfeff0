package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	file    file
	path    string
	size    int64
	batches int
}

// writer is the one goroutine that writes. Only it touches its fields.
type writer struct {
	j    *Journal
	opts Options
	id   ID
	prep *preparer

	// at is the end of the durable batches. Its segment is the active one, or
	// the last one that is part of the journal if there is no active one.
	at  position
	seg *active // nil after a fault
	// base is the end of the segment before the active one. A segment that
	// failed before it took a record is replaced by another of its number.
	base     position
	retired  []retired // to be truncated once their end stands in a header
	padded   []byte    // the batch being written, in whole sectors
	faulting bool      // since faultAt nothing can be written
	faultAt  time.Time
	retry    *time.Timer
}

// run writes groups until the journal is closed and its queue is empty.
func (w *writer) run() {
	defer close(w.j.done)
	for {
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
// callers. After a fault it answers at once until it is time to try again.
func (w *writer) commit(g *group) {
	if w.faulting && time.Since(w.faultAt) < w.opts.retry {
		w.j.settle(g, 0, w.j.currentFault())
		return
	}
	err := w.attempt(g)
	if err != nil {
		w.opts.Logger.Warn("journal write failed, trying once more", "error", err)
		err = w.attempt(g)
	}
	first := w.at.next - uint64(g.records)
	w.j.settle(g, first, w.note(err))
}

// note records whether the journal can be written, and returns the error for
// callers. While it cannot, the writer tries again by itself.
func (w *writer) note(err error) error {
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		w.opts.Logger.Error("journal is unavailable", "error", err)
		w.faultAt = time.Now()
		w.retry.Reset(w.opts.retry)
	} else if w.faulting {
		w.opts.Logger.Info("journal is available again")
		w.retry.Stop()
	}
	if w.faulting || err != nil {
		w.j.setFault(err)
	}
	w.faulting = err != nil
	return err
}

func (w *writer) attempt(g *group) error {
	if !w.fits(len(g.buf)) {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	return w.put(g.buf, g.records)
}

// fits says whether a batch of n bytes and a seal have room in the segment.
func (w *writer) fits(n int) bool {
	return w.seg != nil && w.at.end+roundUp(int64(n))+sectorSize <= w.seg.size
}

// put completes buf and writes it as one batch. If that fails, the segment's
// bytes after w.at are unknown and it is given up.
func (w *writer) put(buf []byte, records int) error {
	now := w.opts.now()
	head := completeBatch(buf, batchRecords, records, w.at.next, now, w.at.chain)
	if err := w.write(buf); err != nil {
		w.giveUp()
		return err
	}
	w.seg.batches++
	w.at.end += roundUp(int64(len(buf)))
	w.at.next += uint64(records)
	w.at.chain = head
	w.observe(buf)
	w.j.publish(w.head(), w.at.end)
	return nil
}

func (w *writer) head() Head { return Head{Seq: w.at.next - 1, Hash: w.at.chain} }

// write writes buf, padded to whole sectors, at the end of the segment. The
// file is open with O_DSYNC: what is written is durable.
func (w *writer) write(buf []byte) error {
	n := int(roundUp(int64(len(buf))))
	w.padded = append(w.padded[:0], buf...)
	w.padded = append(w.padded, make([]byte, n-len(buf))...)
	if _, err := w.seg.file.WriteAt(w.padded, w.at.end); err != nil {
		return fmt.Errorf("writing journal segment %d: %w", w.at.segment, err)
	}
	return nil
}

// observe shows the records of a batch that was just made to the state.
func (w *writer) observe(buf []byte) {
	if w.opts.State == nil {
		return
	}
	for off := batchHeaderSize; off < len(buf); {
		r, end := recordAt(buf, off)
		w.opts.State.Observe(r)
		off = end
	}
}

// rotate goes on in a fresh segment, which begins with a checkpoint.
func (w *writer) rotate() error {
	path, err := w.prep.take()
	if err != nil {
		return err
	}
	if w.seg != nil {
		w.giveUp()
	}
	if err := w.begin(path, w.opts.SegmentSize); err != nil {
		_ = os.Remove(path) // Open removes it otherwise
		return err
	}
	if err := w.checkpoint(); err != nil {
		if w.seg != nil {
			w.giveUp()
		}
		return err
	}
	return nil
}

// giveUp ends the active segment at w.at.
func (w *writer) giveUp() {
	w.retired = append(w.retired, retired{file: w.seg.file, path: w.seg.path, end: w.at.end})
	if w.seg.batches > 0 {
		w.base = w.at
	} else {
		w.at = w.base
	}
	w.seg = nil
}

// begin makes the prepared file at path the next segment. The header is
// durable before the file gets its name, and the name before the first batch.
func (w *writer) begin(path string, size int64) error {
	h := segmentHeader{
		journal: w.id, number: w.base.segment + 1, first: w.base.next, size: size,
		prevEnd: w.base.end, created: w.opts.now(), prev: w.base.chain,
	}
	f, err := w.opts.open(path, os.O_WRONLY|unix.O_DSYNC, 0)
	if err != nil {
		return fmt.Errorf("opening a prepared journal segment: %w", err)
	}
	sector, chain := h.encode()
	name := segmentPath(w.opts.Dir, h.number)
	if err := install(f, sector, path, name); err != nil {
		return errors.Join(fmt.Errorf("beginning journal segment %d: %w", h.number, err), f.Close())
	}
	w.seg = &active{file: f, path: name, size: size}
	w.at = position{segment: h.number, end: headerSize, next: h.first, chain: chain}
	w.j.extend(extent{number: h.number, first: h.first, end: headerSize}, w.head())
	w.releaseRetired()
	return nil
}

func install(f file, header []byte, from, to string) error {
	if _, err := f.WriteAt(header, 0); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
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

// checkpoint writes the state's checkpoint as the segment's first batch.
func (w *writer) checkpoint() error {
	if w.opts.State == nil {
		return nil
	}
	entries := w.opts.State.Checkpoint()
	if len(entries) == 0 {
		return nil
	}
	buf := make([]byte, batchHeaderSize)
	for _, e := range entries {
		buf = appendRecord(buf, e)
	}
	if !w.fits(len(buf)) {
		return fmt.Errorf("%w: checkpoint of %d bytes", ErrTooLarge, len(buf))
	}
	return w.put(buf, len(entries))
}

// finish seals the journal and frees its directory.
func (w *writer) finish() error {
	w.retry.Stop()
	err := errors.Join(w.seal(), w.closeRetired(), w.prep.close(), w.j.lock.Close())
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
	buf := make([]byte, batchHeaderSize)
	completeBatch(buf, batchSeal, 0, w.at.next, w.opts.now(), w.at.chain)
	err := w.write(buf)
	if err == nil {
		err = w.seg.file.Truncate(w.at.end + sectorSize)
	}
	if err == nil {
		err = w.seg.file.Sync()
	}
	return errors.Join(err, w.seg.file.Close())
}
