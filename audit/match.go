package audit

import (
	"fmt"
	"slices"

	"github.com/strongroom-kms/strongroom/audit/index"
)

// matcher compares records with a Search. It is for one goroutine.
type matcher struct {
	search Search
	wanted []index.Term // also those that follow from the filter
	terms  *index.Matcher
}

func newMatcher(s Search) *matcher {
	m := &matcher{search: s, wanted: s.Terms}
	if s.Filter != nil {
		m.wanted = slices.Concat(s.Terms, s.Filter.Terms())
	}
	m.terms = index.NewMatcher(index.Kind(s.Kind), m.wanted)
	return m
}

// match says whether a record is wanted, wherever the search begins.
func (m *matcher) match(r Record) (bool, error) {
	if r.Kind != m.search.Kind {
		return false, nil
	}
	matches, at := m.terms.Match(r.JSON)
	if at.IsZero() {
		at = r.Time
	}
	switch from, to := m.search.From, m.search.To; {
	case !matches || at.Before(from) || !to.IsZero() && !at.Before(to):
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
