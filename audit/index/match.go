package index

import "time"

// Matcher compares records with terms.
type Matcher struct {
	kind  Kind
	terms []Term
	found []bool
}

// NewMatcher returns a Matcher of the records of one kind that have all the terms. It
// is for one goroutine.
func NewMatcher(kind Kind, terms []Term) *Matcher {
	return &Matcher{kind: kind, terms: terms, found: make([]bool, len(terms))}
}

// Match says whether a record has all the terms, and returns its time.
func (m *Matcher) Match(record []byte) (bool, time.Time) {
	clear(m.found)
	left := len(m.terms)
	at := Read(m.kind, record, func(f Field, value []byte) {
		for i, t := range m.terms {
			if !m.found[i] && t.Field == f && t.Value == string(value) {
				m.found[i] = true
				left--
			}
		}
	})
	return left == 0, at
}
