// Package logpattern understands the filter patterns of CloudWatch Logs for text:
// terms, which are words or "quoted phrases". A message matches that has all of them
// as they are written, anywhere in it; or, where each has a question mark before it,
// one of them. One with a hyphen before it must not be there.
//
// Patterns for JSON and for columns, regular expressions, and question marks among
// other terms are refused: to pass over them would answer another question.
//
// Source: Amazon CloudWatch Logs User Guide, "Filter pattern syntax".
package logpattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Pattern is a filter pattern. The zero value matches every message. It is safe for
// concurrent use.
type Pattern struct {
	all, any, none []string
}

// Parse understands a pattern. Its error says what in it is not understood.
func Parse(text string) (Pattern, error) {
	var p Pattern
	rest := strings.TrimSpace(text)
	if form := otherForm(rest); form != "" {
		return Pattern{}, fmt.Errorf("patterns for %s are not supported", form)
	}
	for rest != "" {
		list := &p.all
		switch rest[0] {
		case '?':
			list, rest = &p.any, rest[1:]
		case '-':
			list, rest = &p.none, rest[1:]
		}
		term, after, err := next(rest)
		if err != nil {
			return Pattern{}, err
		}
		*list = append(*list, term)
		rest = strings.TrimLeft(after, " ")
	}
	if len(p.any) > 0 && len(p.all)+len(p.none) > 0 {
		return Pattern{}, fmt.Errorf("the term ?%s beside terms without a question mark is not supported", p.any[0])
	}
	return p, nil
}

// otherForm says what a pattern is for that is not one of terms.
func otherForm(text string) string {
	switch {
	case strings.HasPrefix(text, "{"):
		return "JSON"
	case strings.HasPrefix(text, "["):
		return "columns"
	case strings.Contains(text, "%") && !strings.Contains(text, `"`):
		return "regular expressions"
	}
	return ""
}

// next takes a term off the beginning of a pattern.
func next(text string) (term, rest string, err error) {
	if strings.HasPrefix(text, `"`) {
		return quoted(text)
	}
	term, rest, _ = strings.Cut(text, " ")
	if term == "" {
		return "", "", errors.New("a term is missing after a question mark or hyphen")
	}
	for _, c := range term {
		if !isWord(c) {
			return "", "", fmt.Errorf("invalid character %q in the term %q: it has to stand in double quotes", c, term)
		}
	}
	return term, rest, nil
}

// isWord says whether a character may stand in a term without quotes.
func isWord(c rune) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf
}

// quoted takes a quoted phrase off the beginning of a pattern. A backslash in it stands
// before a quote, or before a backslash.
func quoted(text string) (phrase, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		case text[i] == '"' && b.Len() == 0:
			return "", "", errors.New("a quoted phrase is empty")
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		default:
			b.WriteByte(text[i])
		}
	}
	return "", "", fmt.Errorf("the quote before %q is not closed", text[1:])
}

// Match says whether a message matches. Case counts.
func (p Pattern) Match(message string) bool {
	for _, term := range p.none {
		if strings.Contains(message, term) {
			return false
		}
	}
	for _, term := range p.all {
		if !strings.Contains(message, term) {
			return false
		}
	}
	for _, term := range p.any {
		if strings.Contains(message, term) {
			return true
		}
	}
	return len(p.any) == 0
}
