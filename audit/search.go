package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit/filter"
	"github.com/strongroom-kms/strongroom/audit/index"
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
// with more to come: a search stops after a bounded amount of work.
type Page struct {
	Records []Record
	// Next goes on behind this page, as Search.After; 0 if there is no more.
	Next uint64
}

// maxExamined is how many records one search reads at most.
const maxExamined = 10_000

// Search answers a page of the durable records that match. Its error is that of ctx, of the filter,
// or a *journal.Corruption.
func (t *Trail) Search(ctx context.Context, s Search) (Page, error) {
	page, err := t.scan(ctx, s)
	if err != nil {
		return Page{}, fmt.Errorf("searching the audit trails: %w", err)
	}
	return page, nil
}

// scan is a search without an index.
func (t *Trail) scan(ctx context.Context, s Search) (Page, error) {
	var all []Record
	m := newMatcher(s)
	for r, err := range t.Records(ctx, 0, false) {
		if err != nil {
			return Page{}, err
		}
		matches, err := m.match(r)
		if err != nil {
			return Page{}, err
		}
		if matches {
			all = append(all, r)
		}
	}
	if s.Newest {
		slices.Reverse(all)
	}
	if s.After > 0 {
		all = slices.DeleteFunc(all, func(r Record) bool { return s.Newest && r.Seq >= s.After || !s.Newest && r.Seq <= s.After })
	}
	if len(all) <= s.Limit {
		return Page{Records: all}, nil
	}
	return Page{Records: all[:s.Limit], Next: all[s.Limit-1].Seq}, nil
}

// matcher compares records with a Search. It is for one goroutine.
type matcher struct {
	search Search
	terms  *index.Matcher
}

func newMatcher(s Search) *matcher {
	return &matcher{search: s, terms: index.NewMatcher(index.Kind(s.Kind), s.Terms)}
}

func (m *matcher) match(r Record) (bool, error) {
	if r.Kind != m.search.Kind {
		return false, nil
	}
	matches, at := m.terms.Match(r.JSON)
	switch {
	case !matches || !m.search.From.IsZero() && at.Before(m.search.From) || !m.search.To.IsZero() && !at.Before(m.search.To):
		return false, nil
	case m.search.Filter == nil:
		return true, nil
	}
	matches, err := m.search.Filter.Match(r.JSON)
	if err != nil {
		return false, fmt.Errorf("record %d: %w", r.Seq, err)
	}
	return matches, nil
}
