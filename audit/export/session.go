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

	// read is the newest record that was read.
	read    cursor
	streams map[string]*stream
	made    int // streams, ever
	open    int64

	logDue    *time.Timer // stopped while nothing was read since the cursor
	digestDue *time.Timer
	retry     time.Duration // until the next attempt to sign; 0 if the last one worked
	ended     bool          // the trail was closed
}

// item is a record on its way from the trail, or why there are no more.
type item struct {
	record audit.Record
	err    error
}

// ahead is how many records are read ahead.
const ahead = 64

// follow reads the trail until ctx ends.
func (s *session) follow(ctx context.Context) <-chan item {
	items := make(chan item, ahead)
	after := s.read.Sequence
	s.readers.Go(func() {
		for r, err := range s.opts.Trail.Records(ctx, after, true) {
			select {
			case items <- item{r, err}:
			case <-ctx.Done():
				return
			}
		}
	})
	return items
}

// run exports until a final request is answered, ctx ends or something fails. It
// begins with the request that is given.
func (s *session) run(ctx context.Context, first *request) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		s.abandon()
		s.readers.Wait()
	}()
	items := s.follow(ctx)
	var final bool
	var err error
	if first != nil {
		final, err = s.serve(first, items)
	}
	for !final && err == nil && ctx.Err() == nil {
		final, err = s.step(ctx, items)
	}
	if ctx.Err() != nil {
		return nil // whatever failed may have failed for this
	}
	return err
}

// step does what comes first.
func (s *session) step(ctx context.Context, items <-chan item) (final bool, err error) {
	select {
	case it := <-items:
		return false, s.take(ctx, it)
	case <-s.logDue.C:
		return false, s.flush()
	case <-s.digestDue.C:
		return false, s.digest(ctx)
	case r := <-s.requests:
		return s.serve(r, items)
	case <-ctx.Done():
		return false, nil
	}
}

// serve exports what the trail holds now and makes a digest of it.
func (s *session) serve(r *request, items <-chan item) (final bool, err error) {
	answer := s.drain(r.ctx, items)
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
func (s *session) drain(ctx context.Context, items <-chan item) error {
	for head := s.opts.Trail.Head().Seq; s.read.Sequence < head && !s.ended; {
		select {
		case it := <-items:
			if err := s.take(ctx, it); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("exporting up to record %d, with %d exported: %w", head, s.state.Cursor.Sequence, ctx.Err())
		}
	}
	return nil
}

// take takes in what came from the trail.
func (s *session) take(ctx context.Context, it item) error {
	switch {
	case errors.Is(it.err, journal.ErrClosed):
		s.ended = true
		return nil
	case it.err != nil:
		return fmt.Errorf("reading the trail behind record %d: %w", s.read.Sequence, it.err)
	}
	if err := s.follows(it.record); err != nil {
		return err
	}
	if err := s.export(it.record); err != nil {
		return fmt.Errorf("exporting record %d: %w", it.record.Seq, err)
	}
	if s.read == s.state.Cursor {
		s.logDue.Reset(s.opts.LogFilePeriod)
	}
	s.read = cursor{it.record.Seq, it.record.Hash.String(), it.record.Time}
	s.progress(it.record.Time)
	switch {
	case s.retry == 0 && s.state.Bytes+s.open >= s.opts.DigestSize:
		return s.digest(ctx)
	case s.full():
		return s.flush()
	}
	return nil
}

// follows wants no record to be left out. A trail that was never exported may
// begin later than with record 1.
func (s *session) follows(r audit.Record) error {
	next := s.read.Sequence + 1
	switch {
	case r.Seq == next:
		return nil
	case s.read.Sequence == 0 && r.Seq > next:
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
	s.logDue.Stop()
	s.digestDue.Stop()
}
