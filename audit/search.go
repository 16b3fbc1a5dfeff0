package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit/filter"
	"github.com/strongroom-kms/strongroom/audit/index"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Search says which records of one trail are wanted, and in which order.
type Search struct {
	// Kind is RecordEvent or RecordHSMEntry.
	Kind RecordKind
	// From and To bound the eventTime of events and the time of HSM entries: not
	// before From, before To. Zero is no bound.
	From, To time.Time
	// Terms must all match.
	Terms []index.Term
	// Filter must match; nil: none.
	Filter *filter.Filter
	// Newest asks for the newest first, else the oldest. The order is that of the
	// journal, which is not always that of the times.
	Newest bool
	// After goes on behind this record in the direction of the search; 0: from the
	// beginning or, of the newest, from the end.
	After uint64
	// Limit is how many records are answered at most, from 1 on.
	Limit int
}

// Page is an answer to a Search. It may have fewer records than the limit, or none,
// with more to come: a search stops after a bounded amount of work, and a page has little more than 1 MiB.
type Page struct {
	Records []Record
	// Next goes on behind this page, as Search.After; 0 if there is no more.
	Next uint64
}

// What one search does at most, in records that it reads; what a filter costs more for each,
// a segment whose index is looked into, and one whose index has to be made; and how many
// bytes of records fill a page.
const (
	maxPage     = 1 << 20
	maxWork     = 10_000
	filterWork  = 4
	segmentWork = 5
	buildWork   = 5_000
)

// Search answers a page of those durable records that match. Its error is that of ctx, of the
// filter, journal.ErrClosed, or a *journal.Corruption.
func (t *Trail) Search(ctx context.Context, s Search) (Page, error) {
	return t.searchTo(ctx, s, t.journal.Head().Seq)
}

// searchesAtOnce is how many searches use processors at the same time, the others waiting: half of
// what there is stays with the requests that use keys.
func searchesAtOnce() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// searchTo searches the records up to number head.
func (t *Trail) searchTo(ctx context.Context, s Search, head uint64) (Page, error) {
	select {
	case t.searching <- struct{}{}:
		defer func() { <-t.searching }()
	case <-ctx.Done():
		return Page{}, fmt.Errorf("waiting for other searches of the audit trails: %w", ctx.Err())
	}
	if err := t.indexes.catchUp(); err != nil {
		return Page{}, fmt.Errorf("searching the audit trails: %w", err)
	}
	segments := t.journal.Segments() // not before: catching up may have waited
	w := &searcher{indexes: t.indexes, search: s, matcher: newMatcher(s), head: head, at: s.After, left: maxWork}
	if s.Newest && (s.After == 0 || s.After > head) {
		w.at = head + 1
	}
	if err := w.walk(ctx, segments); err != nil {
		return Page{}, fmt.Errorf("searching the audit trails: %w", err)
	}
	return Page{Records: w.found, Next: w.next()}, nil
}

// searcher is one search under way.
type searcher struct {
	indexes *indexes
	search  Search
	matcher *matcher
	head    uint64 // the newest record that counts
	at      uint64 // what comes next is behind this record
	left    int    // work that may be done
	found   []Record
	bytes   int // of the records found
}

// next is where a later search goes on.
func (w *searcher) next() uint64 {
	if w.search.Newest && w.at <= 1 || !w.search.Newest && w.at >= w.head {
		return 0
	}
	return w.at
}

func (w *searcher) enough() bool {
	return len(w.found) >= w.search.Limit || w.bytes >= maxPage || w.left <= 0
}

// walk looks into the segments, which are in order, in the search's order.
func (w *searcher) walk(ctx context.Context, segments []journal.Segment) error {
	for n := range segments {
		i := n
		if w.search.Newest {
			i = len(segments) - 1 - n
		}
		last := w.head
		if i+1 < len(segments) {
			last = min(last, segments[i+1].First-1)
		}
		if !w.reaches(segments[i].First, last) {
			continue
		}
		if err := w.segment(ctx, segments[i]); err != nil || w.enough() {
			return err
		}
		w.pass(segments[i].First, last)
	}
	w.finish()
	return nil
}

// reaches says whether what comes next may be among some records.
func (w *searcher) reaches(first, last uint64) bool {
	if w.search.Newest {
		return first < w.at && first <= last
	}
	return last > w.at
}

// pass goes behind records that were all looked at.
func (w *searcher) pass(first, last uint64) {
	if w.search.Newest {
		w.at = min(w.at, first)
	} else {
		w.at = max(w.at, last)
	}
	w.left -= segmentWork
}

// finish notes that there are no more segments.
func (w *searcher) finish() {
	if w.search.Newest {
		w.at = 0
	} else {
		w.at = w.head
	}
}

// segment looks into one segment, and once more where it stopped if its index is damaged.
func (w *searcher) segment(ctx context.Context, s journal.Segment) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		ix, made, err := w.indexes.open(ctx, s, w.query())
		if made {
			w.left -= buildWork
		}
		if err == nil && ix != nil {
			err = w.take(ctx, s, ix)
			closeIndex(ix)
		}
		switch {
		case errors.Is(err, index.ErrDamaged):
			w.indexes.drop(s.Number, err)
		case errors.Is(err, fs.ErrNotExist) && w.indexes.removed(s):
			return nil
		default:
			return err
		}
	}
}

func (w *searcher) query() index.Query {
	q := index.Query{
		Kind: index.Kind(w.search.Kind), From: w.search.From, To: w.search.To, Terms: w.matcher.wanted,
		Above: w.at, Below: w.head + 1, Newest: w.search.Newest,
	}
	if w.search.Newest {
		q.Above, q.Below = 0, w.at
	}
	return q
}

// take reads what an index has found, until there is enough.
func (w *searcher) take(ctx context.Context, s journal.Segment, ix index.Index) error {
	var records *journal.SegmentReader
	for hit, err := range index.Find(ix, w.query()) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && records == nil {
			if records, err = w.indexes.journal.OpenSegment(s.Number); err == nil {
				defer records.Close()
			}
		}
		if err == nil {
			err = w.examine(records, hit)
		}
		if err != nil || w.enough() {
			return err
		}
	}
	return nil
}

// examine reads a record and keeps it if it matches.
func (w *searcher) examine(records *journal.SegmentReader, hit index.Hit) error {
	r, err := records.At(hit.Offset, hit.Seq)
	if err != nil {
		return err
	}
	record := recordOf(r)
	matches, err := w.matcher.match(record)
	if err != nil {
		return err
	}
	if matches {
		record.JSON = slices.Clone(record.JSON)
		w.found = append(w.found, record)
		w.bytes += len(record.JSON)
	}
	w.at = hit.Seq
	w.left--
	if w.search.Filter != nil {
		w.left -= filterWork
	}
	return nil
}
