package index

import (
	"bytes"
	"strings"
	"time"
)

// Matcher compares records with terms.
type Matcher struct {
	kind  Kind
	terms []Term
	// traces are bytes that a record with all terms has somewhere.
	traces [][]byte
	found  []bool
}

// NewMatcher returns a Matcher of the records of one kind that have all the terms. It
// is for one goroutine.
func NewMatcher(kind Kind, terms []Term) *Matcher {
	m := &Matcher{kind: kind, terms: terms, found: make([]bool, len(terms))}
	for _, t := range terms {
		if b := t.trace(kind); b != nil {
			m.traces = append(m.traces, b)
		}
	}
	return m
}

// possible says whether a record may have all the terms: false is certain. To look for
// their bytes anywhere in the record takes a small part of the time of reading it.
func (m *Matcher) possible(record []byte) bool {
	for _, b := range m.traces {
		if !bytes.Contains(record, b) {
			return false
		}
	}
	return true
}

// Match says whether a record has all the terms, and returns the time of one that has.
func (m *Matcher) Match(record []byte) (bool, time.Time) {
	if !m.possible(record) {
		return false, time.Time{}
	}
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

// trace returns what stands in each record with the term, or nil if it may be
// written in more than one way: a JSON string can have escapes in place of characters.
func (t Term) trace(kind Kind) []byte {
	switch {
	case t.Field == Failed && t.Value == "true" && kind == Event:
		return []byte(`"errorCode"`)
	case t.Field == Failed || !isWord(t.Value):
		return nil
	}
	return []byte(t.Value)
}

// isWord says whether every encoder of JSON leaves s as it is.
func isWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !isPlain(r) }) < 0
}

func isPlain(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == ':' || r == '.'
}
