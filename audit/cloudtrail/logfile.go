package cloudtrail

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
)

// LogFile is what a digest tells of a log file.
type LogFile struct {
	// Bucket and Object are where the file is.
	Bucket string `json:"s3Bucket"`
	Object string `json:"s3Object"`
	// HashValue is the SHA-256 of the uncompressed file, in hexadecimal.
	HashValue string `json:"hashValue"`
	// HashAlgorithm is "SHA-256".
	HashAlgorithm string `json:"hashAlgorithm"`
	// Newest and Oldest are the times of its events: UTC, in whole seconds.
	Newest time.Time `json:"newestEventTime"`
	Oldest time.Time `json:"oldestEventTime"`
	// Journal is where its records are from.
	Journal LogRecords `json:"strongroomJournal"`
}

// LogRecords are the records of the journal that a log file has: those of its
// Region, or of its HSM, from First to Last.
type LogRecords struct {
	// JournalID is the journal's id, in hexadecimal.
	JournalID string `json:"journalId"`
	// First and Last are the numbers of the first and the last record.
	First uint64 `json:"firstSequence"`
	Last  uint64 `json:"lastSequence"`
	// Records is how many there are.
	Records uint64 `json:"records"`
}

// LogWriter writes a log file, and hashes it on the way.
type LogWriter struct {
	gzip      *gzip.Writer
	sum       hash.Hash
	out       io.Writer // both
	separator string    // before each record but the first
	after     string    // each record
	end       string
	size      int64
	records   uint64
}

// NewLogWriter begins a file of API events.
func NewLogWriter(w io.Writer) (*LogWriter, error) {
	l := newLogWriter(w)
	l.separator, l.end = ",", "]}"
	return l, l.write(`{"Records":[`)
}

// NewHSMLogWriter begins a file of HSM entries, each with an empty line behind it.
func NewHSMLogWriter(w io.Writer) *LogWriter {
	l := newLogWriter(w)
	l.after = "\n"
	return l
}

// newLogWriter compresses fast, not small, and by a package that takes a third of the
// standard library's time for it: exporting takes the time of the processors that serve requests.
func newLogWriter(w io.Writer) *LogWriter {
	compressed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // fails for an unknown level only
	l := &LogWriter{gzip: compressed, sum: sha256.New()}
	l.out = io.MultiWriter(l.gzip, l.sum)
	return l
}

// Add adds a record: the event's JSON, or the entry's text.
func (l *LogWriter) Add(record []byte) error {
	if l.records > 0 {
		if err := l.write(l.separator); err != nil {
			return err
		}
	}
	l.records++
	l.size += int64(len(record))
	if _, err := l.out.Write(record); err != nil {
		return fmt.Errorf("writing a log file: %w", err)
	}
	return l.write(l.after)
}

// Close ends the file. It does not close what it was written to.
func (l *LogWriter) Close() error {
	err := l.write(l.end)
	if err == nil {
		err = l.gzip.Close()
	}
	if err != nil {
		return fmt.Errorf("ending a log file: %w", err)
	}
	return nil
}

// Records is how many records were added.
func (l *LogWriter) Records() uint64 { return l.records }

// Size is the size of the file so far, in bytes before compression.
func (l *LogWriter) Size() int64 { return l.size }

// HashValue is the hash of what was written, in hexadecimal; of the file, when it
// was closed.
func (l *LogWriter) HashValue() string { return hex.EncodeToString(l.sum.Sum(nil)) }

func (l *LogWriter) write(s string) error {
	if s == "" {
		return nil
	}
	l.size += int64(len(s))
	if _, err := io.WriteString(l.out, s); err != nil {
		return fmt.Errorf("writing a log file: %w", err)
	}
	return nil
}
