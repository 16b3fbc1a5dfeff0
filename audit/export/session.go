package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// maxStreams bounds the log files that are written at a time: each takes memory.
const maxStreams = 64

// session exports until something fails. The next one begins with what is durable.
type session struct {
	*Exporter
	disk  disk
	state *state

	begun  time.Time
	reader *audit.Reader
	// read is the newest record that was read.
	read    position
	streams map[string]*stream
	made    int // streams, ever
	open    int64

	readDue   *time.Timer // stopped when the trail was closed
	logDue    *time.Timer // stopped while nothing was read since the cursor
	digestDue *time.Timer
	retry     time.Duration // until the next attempt to sign; 0 if the last one worked
	ended     bool          // the trail was closed
}

// position is a record that was read.
type position struct {
	seq     uint64
	hash    journal.Hash
	written time.Time
}

func (p position) cursor() cursor { return cursor{p.seq, p.hash.String(), p.written} }

// What the trail has more is read each readInterval, and not when it comes: that would wake the exporter
// for each write of the journal. At most about readAtOnce records are read between other things to do.
const (
	readInterval = time.Second
	readAtOnce   = 256
)

// run exports until a final request is answered, ctx ends or something fails. It
// begins with the request that is given.
func (s *session) run(ctx context.Context, first *request) error {
	defer s.abandon()
	var final bool
	var err error
	if first != nil {
		final, err = s.serve(first)
	}
	for !final && err == nil && ctx.Err() == nil {
		final, err = s.step(ctx)
	}
	if ctx.Err() != nil {
		return nil // whatever failed may have failed for this
	}
	return err
}

// step does what comes first.
func (s *session) step(ctx context.Context) (final bool, err error) {
	select {
	case <-s.readDue.C:
		return false, s.readMore(ctx)
	case <-s.logDue.C:
		return false, s.flush()
	case <-s.digestDue.C:
		return false, s.digest(ctx)
	case r := <-s.requests:
		return s.serve(r)
	case <-ctx.Done():
		return false, nil
	}
}

// serve exports what the trail holds now and makes a digest of it.
func (s *session) serve(r *request) (final bool, err error) {
	answer := s.drain(r.ctx)
	if answer == nil {
		answer = s.flush()
	}
	if answer == nil {
		answer = s.sign(r.ctx)
	}
	r.done <- answer
	if signing := (*signingError)(nil); r.final || errors.As(answer, &signing) || errors.Is(answer, r.ctx.Err()) {
		return r.final, nil
	}
	return false, answer
}

// drain takes what the trail holds at its beginning.
func (s *session) drain(ctx context.Context) error {
	for head := s.opts.Trail.Head().Seq; s.read.seq < head && !s.ended; {
		if ctx.Err() != nil {
			return fmt.Errorf("exporting up to record %d, with %d exported: %w", head, s.state.Cursor.Sequence, ctx.Err())
		}
		if err := s.readMore(ctx); err != nil {
			return err
		}
	}
	return nil
}

// readMore takes in what the trail has more, or some of it, and says when it is to be called again.
func (s *session) readMore(ctx context.Context) error {
	s.readDue.Stop()
	for n := 0; n < readAtOnce; {
		records, err := s.reader.Next()
		switch {
		case errors.Is(err, journal.ErrClosed):
			s.ended = true
			return nil
		case err != nil:
			return fmt.Errorf("behind record %d: %w", s.read.seq, err)
		case len(records) == 0:
			s.readDue.Reset(readInterval)
			return nil
		}
		for _, r := range records {
			if err := s.take(ctx, r); err != nil {
				return err
			}
		}
		n += len(records)
	}
	s.readDue.Reset(0)
	return nil
}

// take takes in a record.
func (s *session) take(ctx context.Context, r audit.Record) error {
	if err := s.follows(r); err != nil {
		return err
	}
	if err := s.export(r); err != nil {
		return fmt.Errorf("exporting record %d: %w", r.Seq, err)
	}
	if s.read.seq == s.state.Cursor.Sequence {
		s.waits(r)
	}
	s.read = position{r.Seq, r.Hash, r.Time}
	switch {
	case s.retry == 0 && s.state.Bytes+s.open >= s.opts.DigestSize:
		return s.digest(ctx)
	case s.full():
		return s.flush()
	}
	return nil
}

// waits has the log files ended when the first record in them has waited long enough: since it was
// written or, if that was before the session, since that began.
func (s *session) waits(first audit.Record) {
	s.waitsSince(first.Time)
	waited := min(time.Since(first.Time), time.Since(s.begun))
	s.logDue.Reset(s.opts.LogFilePeriod - max(0, waited))
}

// follows wants no record to be left out. A trail that was never exported may
// begin later than with record 1.
func (s *session) follows(r audit.Record) error {
	next := s.read.seq + 1
	switch {
	case r.Seq == next:
		return nil
	case s.read.seq == 0 && r.Seq > next:
		for _, c := range s.state.Regions {
			c.Next = r.Seq
		}
		return nil
	}
	return fmt.Errorf("records %d to %d were not exported and are no longer in the journal: "+
		"to go on without them, move the directory %s away", next, r.Seq-1, s.opts.Directory)
}

// export writes a record to the log file that it belongs in.
func (s *session) export(r audit.Record) error {
	switch r.Kind {
	case audit.RecordEvent:
		region := string(member(r.JSON, regionMember))
		if s.state.Regions[region] == nil {
			region = s.opts.Regions[0]
		}
		return s.add(region, "", r, r.JSON, eventTime(r))
	case audit.RecordHSMEntry:
		e, err := audit.ParseHSMEntry(r.JSON)
		if err != nil {
			return err
		}
		return s.add(s.opts.Regions[0], e.HSM, r, e.AppendText(nil), e.Time)
	}
	return nil // the journal's own affair
}

// add leaves out what a digest already names: the chains may have got to different
// points if the state was lost.
func (s *session) add(region, hsm string, r audit.Record, text []byte, at time.Time) error {
	if r.Seq < s.state.Regions[region].Next {
		return nil
	}
	name := region + "/" + hsm
	st := s.streams[name]
	if st == nil {
		s.made++
		var err error
		if st, err = openStream(s.disk, fmt.Sprintf("%s/%d.log", tempDir, s.made), region, hsm); err != nil {
			return err
		}
		s.streams[name] = st
	}
	before := st.log.Size()
	err := st.add(r, text, at)
	s.open += st.log.Size() - before
	return err
}

func (s *session) full() bool {
	if len(s.streams) >= maxStreams {
		return true
	}
	for _, st := range s.streams {
		if st.log.Size() >= s.opts.LogFileSize {
			return true
		}
	}
	return false
}

func (s *session) abandon() {
	for _, st := range s.streams {
		st.abandon()
	}
	s.reader.Close()
	s.readDue.Stop()
	s.logDue.Stop()
	s.digestDue.Stop()
}
