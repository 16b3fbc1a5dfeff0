package audit

import (
	"context"
	"iter"
	"time"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Query selects records of a trail.
type Query struct {
	// HSM, if not empty, selects the entries of that HSM.
	HSM string
	// Last, if positive, selects the newest so many of those recorded so far.
	Last int
	// Follow goes on with new records as they become durable.
	Follow bool
}

// EventRecord is an API event as it stands in the journal.
type EventRecord struct {
	// Seq is the record's number in the journal.
	Seq uint64
	// JSON is the event.
	JSON []byte
}

// Record is a record of the journal, whatever its kind: the trails' cursors count
// them all.
type Record struct {
	// Seq is the record's number, from 1, without gaps.
	Seq uint64
	// Time is when it was written: UTC, in microseconds.
	Time time.Time
	// Hash is the journal's chain after it.
	Hash journal.Hash
	// Kind says what JSON is.
	Kind RecordKind
	// JSON is the body, one line; an HSM entry's is for ParseHSMEntry.
	JSON []byte
}

// RecordKind is a kind of records. The values are on disk.
type RecordKind byte

// The kinds of records that make up the two trails. The others are the journal's own
// affair.
const (
	RecordEvent    = RecordKind(kindEvent)
	RecordHSMEntry = RecordKind(kindHSMEntry)
)

// Records yields the durable records after number after, oldest first, those that are
// of neither trail too. If follow is set it goes on with new ones as they become durable,
// else it ends with those that were durable at the beginning. An error is yielded last: of
// ctx, or journal.ErrClosed when a followed trail is closed.
func (t *Trail) Records(ctx context.Context, after uint64, follow bool) iter.Seq2[Record, error] {
	source := t.journal.Scan(after + 1)
	if follow {
		source = t.journal.Follow(ctx, after+1)
	}
	return func(yield func(Record, error) bool) {
		for r, err := range source {
			if err == nil {
				err = ctx.Err()
			}
			if !yield(Record{Seq: r.Seq, Time: r.Time, Hash: r.Hash, Kind: RecordKind(r.Kind), JSON: r.Body}, err) || err != nil {
				return
			}
		}
	}
}

// Head is the newest durable point of the journal.
func (t *Trail) Head() journal.Head { return t.journal.Head() }

// Events yields API events, oldest first. An error is yielded last: of ctx, or
// journal.ErrClosed when a followed trail is closed.
func (t *Trail) Events(ctx context.Context, q Query) iter.Seq2[EventRecord, error] {
	return func(yield func(EventRecord, error) bool) {
		for r, err := range t.records(ctx, q, isEvent) {
			if !yield(EventRecord{Seq: r.Seq, JSON: r.Body}, err) {
				return
			}
		}
	}
}

func isEvent(r journal.Record) bool { return r.Kind == kindEvent }

// HSMLog yields HSM entries, oldest first. An error is yielded last: of ctx, or
// journal.ErrClosed when a followed trail is closed.
func (t *Trail) HSMLog(ctx context.Context, q Query) iter.Seq2[HSMEntry, error] {
	return func(yield func(HSMEntry, error) bool) {
		for r, err := range t.records(ctx, q, isEntryOf(q.HSM)) {
			var e HSMEntry
			if err == nil {
				e, err = ParseHSMEntry(r.Body)
				e.Record = r.Seq
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// isEntryOf selects the entries of an HSM, or of all.
func isEntryOf(hsmID string) func(journal.Record) bool {
	return func(r journal.Record) bool {
		if r.Kind != kindHSMEntry || hsmID == "" {
			return r.Kind == kindHSMEntry
		}
		e, err := ParseHSMEntry(r.Body)
		return err != nil || e.HSM == hsmID
	}
}

// records yields the records that a query and match select.
func (t *Trail) records(ctx context.Context, q Query, match func(journal.Record) bool) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		from, err := t.first(ctx, q.Last, match)
		if err != nil {
			yield(journal.Record{}, err)
			return
		}
		source := t.journal.Scan(from)
		if q.Follow {
			source = t.journal.Follow(ctx, from)
		}
		for r, err := range source {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && !match(r) {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// first returns where the last n matching records begin. It looks from the end,
// a segment at a time, so that the newest few are found fast.
func (t *Trail) first(ctx context.Context, n int, match func(journal.Record) bool) (uint64, error) {
	if n <= 0 {
		return 1, nil
	}
	var found []uint64
	end := t.journal.Head().Seq + 1
	starts := t.journal.Starts()
	for i := len(starts) - 1; i >= 0 && len(found) < n; i-- {
		matching, err := t.matching(ctx, starts[i], end, match)
		if err != nil {
			return 0, err
		}
		found = append(matching, found...)
		end = min(end, starts[i])
	}
	if len(found) == 0 {
		return t.journal.Head().Seq + 1, nil
	}
	return found[max(0, len(found)-n)], nil
}

// matching returns the numbers of the matching records in [from, end).
func (t *Trail) matching(ctx context.Context, from, end uint64, match func(journal.Record) bool) ([]uint64, error) {
	var seqs []uint64
	for r, err := range t.journal.Scan(from) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if r.Seq >= end {
			break
		}
		if match(r) {
			seqs = append(seqs, r.Seq)
		}
	}
	return seqs, nil
}
