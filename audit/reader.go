package audit

import (
	"fmt"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Reader reads the durable records in order, those that are of neither trail too, for one
// goroutine that reads all of them, many at a time and without waiting.
type Reader struct {
	journal *journal.Reader
	records []Record
}

// Reader returns a reader of the records after number after. It is to be closed.
func (t *Trail) Reader(after uint64) *Reader { return &Reader{journal: t.journal.Reader(after + 1)} }

// Next returns the records that come next, as many as were written together, or none if no more are
// durable now. They are valid until the call after it. Its errors are journal.ErrTrimmed,
// journal.ErrClosed when there are no more and the trail is closed, or a *journal.Corruption.
func (r *Reader) Next() ([]Record, error) {
	records, err := r.journal.Next()
	if err != nil {
		return nil, fmt.Errorf("reading the audit trails: %w", err)
	}
	r.records = r.records[:0]
	for _, record := range records {
		r.records = append(r.records, recordOf(record))
	}
	return r.records, nil
}

// Close closes the file that is being read.
func (r *Reader) Close() { r.journal.Close() }

func recordOf(r journal.Record) Record {
	return Record{Seq: r.Seq, Time: r.Time, Hash: r.Hash, Kind: RecordKind(r.Kind), JSON: r.Body}
}
