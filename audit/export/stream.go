package export

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

// stream is a log file that is being written, without a name as yet: of a Region's
// events or of an HSM's entries.
type stream struct {
	region      string // whose digest names it
	hsm         string // empty for events
	temporary   string
	file        *os.File
	buffer      *bufio.Writer
	log         *cloudtrail.LogWriter
	first, last uint64
	written     time.Time // when the last record was
	span        span
}

// span is the oldest and the newest time of events.
type span struct{ oldest, newest time.Time }

func (s *span) add(t time.Time) {
	t = t.UTC().Truncate(time.Second)
	if s.oldest.IsZero() || t.Before(s.oldest) {
		s.oldest = t
	}
	if t.After(s.newest) {
		s.newest = t
	}
}

// bufferSize is how much of a compressed file is written at once, in bytes.
const bufferSize = 64 << 10

func openStream(d disk, temporary, region, hsm string) (*stream, error) {
	f, err := d.create(temporary)
	if err != nil {
		return nil, fmt.Errorf("beginning a log file: %w", err)
	}
	s := &stream{region: region, hsm: hsm, temporary: temporary, file: f, buffer: bufio.NewWriterSize(f, bufferSize)}
	if hsm != "" {
		s.log = cloudtrail.NewHSMLogWriter(s.buffer)
		return s, nil
	}
	s.log, err = cloudtrail.NewLogWriter(s.buffer)
	return s, err
}

// add writes a record's text, of an event at a time.
func (s *stream) add(r audit.Record, text []byte, at time.Time) error {
	if s.first == 0 {
		s.first = r.Seq
	}
	s.last, s.written = r.Seq, r.Time
	s.span.add(at)
	return s.log.Add(text)
}

// finish makes the file durable.
func (s *stream) finish(d disk) error {
	err := s.log.Close()
	if err == nil {
		err = s.buffer.Flush()
	}
	if err != nil {
		s.abandon()
		return err
	}
	if err := d.finish(s.file); err != nil {
		return fmt.Errorf("ending a log file: %w", err)
	}
	return nil
}

// abandon leaves the file as it is: it has no name, and its records are exported
// again.
func (s *stream) abandon() { _ = s.file.Close() }

// entry is what a digest says of the finished file.
func (s *stream) entry(bucket, object, journalID string) cloudtrail.LogFile {
	return cloudtrail.LogFile{
		Bucket: bucket, Object: object, HashValue: s.log.HashValue(), HashAlgorithm: cloudtrail.HashAlgorithm,
		Newest: s.span.newest, Oldest: s.span.oldest,
		Journal: cloudtrail.LogRecords{JournalID: journalID, First: s.first, Last: s.last, Records: s.log.Records()},
	}
}

// Members of an event, as audit.APIEvent writes them. What stands within a string
// has its quotes escaped, and what a caller chose comes behind them.
const (
	timeMember   = `"eventTime":"`
	regionMember = `"awsRegion":"`
)

// member returns the value of an event's first member with this name: a string
// without escapes, or empty.
func member(event []byte, name string) []byte {
	_, value, found := bytes.Cut(event, []byte(name))
	end := bytes.IndexAny(value, `"\`)
	if !found || end < 0 {
		return nil
	}
	return value[:end]
}

// eventTime returns an event's time, or when it was recorded.
func eventTime(r audit.Record) time.Time {
	at, err := time.Parse(time.RFC3339, string(member(r.JSON, timeMember)))
	if err != nil {
		return r.Time
	}
	return at
}
