package audit

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit/filter"
	"github.com/strongroom-kms/strongroom/audit/index"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Query selects records of a trail.
type Query struct {
	// HSM, if not empty, selects the entries of that HSM.
	HSM string
	// Last, if positive, selects the newest so many of those recorded so far that
	// are selected otherwise.
	Last int
	// Follow goes on with new records as they become durable.
	Follow bool
	// From, To, Terms and Filter select as those of Search do.
	From, To time.Time
	Terms    []index.Term
	Filter   *filter.Filter
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
			if !yield(recordOf(r), err) || err != nil {
				return
			}
		}
	}
}

// Head is the newest durable point of the journal.
func (t *Trail) Head() journal.Head { return t.journal.Head() }

// Events yields API events, oldest first. An error is yielded last: of ctx, of the
// filter, or journal.ErrClosed when a followed trail is closed.
func (t *Trail) Events(ctx context.Context, q Query) iter.Seq2[EventRecord, error] {
	return func(yield func(EventRecord, error) bool) {
		for r, err := range t.records(ctx, RecordEvent, q) {
			if !yield(EventRecord{Seq: r.Seq, JSON: r.JSON}, err) {
				return
			}
		}
	}
}

// HSMLog yields HSM entries, oldest first. Errors are those of Events.
func (t *Trail) HSMLog(ctx context.Context, q Query) iter.Seq2[HSMEntry, error] {
	return func(yield func(HSMEntry, error) bool) {
		for r, err := range t.records(ctx, RecordHSMEntry, q) {
			var e HSMEntry
			if err == nil {
				e, err = ParseHSMEntry(r.JSON)
				e.Record = r.Seq
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// searchOf returns the search for what a query selects, and whether that is less than
// the whole trail.
func searchOf(kind RecordKind, q Query) (s Search, selective bool) {
	s = Search{Kind: kind, From: q.From, To: q.To, Terms: q.Terms, Filter: q.Filter, Limit: pageSize}
	if q.HSM != "" {
		s.Terms = append(slices.Clone(s.Terms), index.Term{Field: index.HSM, Value: q.HSM})
	}
	return s, len(s.Terms) > 0 || s.Filter != nil || !s.From.IsZero() || !s.To.IsZero()
}

// pageSize is how many records are looked for at once.
const pageSize = 256

// records yields what a query selects of one trail.
func (t *Trail) records(ctx context.Context, kind RecordKind, q Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s, selective := searchOf(kind, q)
		head := t.journal.Head().Seq
		after, err := t.before(ctx, s, head, q.Last)
		if err != nil {
			yield(Record{}, err)
			return
		}
		if selective { // found, not read through
			s.After = after
			if !yieldFound(t.pages(ctx, s, head), yield) {
				return
			}
			after = head
		}
		if q.Follow || !selective {
			yieldMatching(t.Records(ctx, after, q.Follow), newMatcher(s), yield)
		}
	}
}

// yieldFound yields the records of pages, and says whether to go on.
func yieldFound(pages iter.Seq2[Page, error], yield func(Record, error) bool) bool {
	for page, err := range pages {
		if err != nil {
			yield(Record{}, err)
			return false
		}
		for _, r := range page.Records {
			if !yield(r, nil) {
				return false
			}
		}
	}
	return true
}

// yieldMatching yields those records that match.
func yieldMatching(source iter.Seq2[Record, error], m *matcher, yield func(Record, error) bool) {
	for r, err := range source {
		matches := false
		if err == nil {
			matches, err = m.match(r)
		}
		if err == nil && !matches {
			continue
		}
		if !yield(r, err) || err != nil {
			return
		}
	}
}

// pages yields what a search finds up to record head, page by page.
func (t *Trail) pages(ctx context.Context, s Search, head uint64) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		for {
			page, err := t.searchTo(ctx, s, head)
			if !yield(page, err) || err != nil || page.Next == 0 {
				return
			}
			s.After = page.Next
		}
	}
}

// before returns the number of a record behind which are the newest n that a search finds
// up to record head; of all, if n is 0.
func (t *Trail) before(ctx context.Context, s Search, head uint64, n int) (uint64, error) {
	if n <= 0 {
		return 0, nil
	}
	s.Newest = true
	oldest := head + 1
	for page, err := range t.pages(ctx, s, head) {
		if err != nil {
			return 0, err
		}
		if some := page.Records[:min(n, len(page.Records))]; len(some) > 0 {
			oldest = some[len(some)-1].Seq
			n -= len(some)
		}
		if n == 0 {
			break
		}
	}
	return oldest - 1, nil
}
