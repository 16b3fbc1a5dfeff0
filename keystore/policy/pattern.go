package policy

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pieceKind says what a piece of a pattern matches.
type pieceKind uint8

const (
	literal  pieceKind = iota // its text
	one                       // any one character
	many                      // any characters, or none
	variable                  // the value of the context key that its text names
)

type piece struct {
	kind pieceKind
	text string
	// fallback is what a variable stands for when its key is absent; nil: it has
	// none.
	fallback *string
}

// pattern is what a string is compared with. The zero pattern matches "" alone.
type pattern struct {
	pieces    []piece
	variables bool
	// fold compares without regard to case.
	fold bool
	// arn keeps the wildcards within the six segments of an ARN.
	arn bool
}

// syntax says what of a pattern's text is more than itself.
type syntax struct {
	wildcards bool
	// variables: "${...}" is replaced; policies of version 2008-10-17 have none.
	variables bool
}

// newPattern compiles a pattern. Its faults are those of its variables.
func newPattern(n node, s syntax) (pattern, error) {
	c := &patternCompiler{syntax: s, where: n.where}
	if err := c.compile(n.text); err != nil {
		return pattern{}, err
	}
	hasVariable := slices.ContainsFunc(c.pieces, func(p piece) bool { return p.kind == variable })
	return pattern{pieces: slices.Clip(c.pieces), variables: hasVariable}, nil
}

type patternCompiler struct {
	syntax
	where  string
	pieces []piece
}

func (c *patternCompiler) compile(rest string) error {
	for rest != "" {
		i := c.nextSpecial(rest)
		c.literal(rest[:i])
		if rest = rest[i:]; rest == "" {
			return nil
		}
		var err error
		if rest, err = c.special(rest); err != nil {
			return err
		}
	}
	return nil
}

// nextSpecial returns where text ends that stands for itself.
func (c *patternCompiler) nextSpecial(s string) int {
	for i := range len(s) {
		switch {
		case c.wildcards && (s[i] == '*' || s[i] == '?'):
			return i
		case c.variables && strings.HasPrefix(s[i:], "${"):
			return i
		}
	}
	return len(s)
}

// special compiles the wildcard or variable that the text begins with, and returns
// what follows it.
func (c *patternCompiler) special(rest string) (string, error) {
	switch rest[0] {
	case '*':
		if len(c.pieces) == 0 || c.pieces[len(c.pieces)-1].kind != many {
			c.pieces = append(c.pieces, piece{kind: many})
		}
		return rest[1:], nil
	case '?':
		c.pieces = append(c.pieces, piece{kind: one})
		return rest[1:], nil
	default:
		return c.variable(rest)
	}
}

// literal adds text, to the piece before if that is text too.
func (c *patternCompiler) literal(s string) {
	if s == "" {
		return
	}
	if last := len(c.pieces) - 1; last >= 0 && c.pieces[last].kind == literal {
		c.pieces[last].text += s
		return
	}
	c.pieces = append(c.pieces, piece{kind: literal, text: s})
}

// variable compiles "${key}", "${key, 'default'}" and the escapes "${*}", "${?}" and
// "${$}".
func (c *patternCompiler) variable(rest string) (string, error) {
	inner, after, ok := strings.Cut(rest[len("${"):], "}")
	if !ok {
		return "", malformed(c.where, "%q has no end", rest)
	}
	if inner == "*" || inner == "?" || inner == "$" {
		c.literal(inner)
		return after, nil
	}
	key, quoted, hasDefault := strings.Cut(inner, ",")
	key = strings.TrimSpace(key)
	if !validKey(key) {
		return "", malformed(c.where, "${%s} is not a policy variable", inner)
	}
	p := piece{kind: variable, text: strings.ToLower(key)}
	if hasDefault {
		value, ok := unquote(strings.TrimSpace(quoted))
		if !ok {
			return "", malformed(c.where, "the default of ${%s} is not in single quotes", inner)
		}
		p.fallback = &value
	}
	c.pieces = append(c.pieces, p)
	return after, nil
}

func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return "", false
	}
	s = s[1 : len(s)-1]
	return s, !strings.Contains(s, "'")
}

// matches compares a string. It is unknown if a variable has no value.
func (p *pattern) matches(s string, c Context) truth {
	if p.variables {
		for i := range p.pieces {
			if _, ok := p.pieces[i].value(c); !ok {
				return unknown
			}
		}
	}
	barrier := 0
	if p.arn {
		if barrier = endOfSegments(s); barrier == 0 {
			return unknown
		}
	}
	return truthOf(p.glob(s, barrier, c))
}

// glob matches by going back to the last "*" only, which is enough: whatever it
// could have matched with an earlier "*" matching more, it can match itself. Colons
// before the barrier are only matched by colons, which does not change that, since
// each of them has one place in the pattern.
func (p *pattern) glob(s string, barrier int, c Context) bool {
	at, i, star, starAt := 0, 0, -1, 0
	for {
		switch {
		case i == len(p.pieces) && at == len(s):
			return true
		case i == len(p.pieces):
		case p.pieces[i].kind == many:
			if star, starAt, i = i, at, i+1; i == len(p.pieces) {
				return at >= barrier
			}
			continue
		}
		if i < len(p.pieces) {
			if n, ok := p.pieces[i].consume(s[at:], barrier-at, p.fold, c); ok {
				at, i = at+n, i+1
				continue
			}
		}
		tooShort := at == len(s) && i < len(p.pieces)
		if star < 0 || tooShort || starAt == len(s) || (starAt < barrier && s[starAt] == ':') {
			return false
		}
		_, width := utf8.DecodeRuneInString(s[starAt:])
		starAt += width
		at, i = starAt, star+1
	}
}

// consume says how much of the beginning of s the piece matches.
func (p *piece) consume(s string, barrier int, fold bool, c Context) (int, bool) {
	switch p.kind {
	case one:
		if s == "" || (barrier > 0 && s[0] == ':') {
			return 0, false
		}
		_, width := utf8.DecodeRuneInString(s)
		return width, true
	case variable:
		value, _ := p.value(c)
		return cutPrefix(s, value, fold)
	default:
		return cutPrefix(s, p.text, fold)
	}
}

// value is what a piece stands for; ok is false for a variable that has no value,
// or several.
func (p *piece) value(c Context) (value string, ok bool) {
	if p.kind != variable {
		return p.text, true
	}
	values := lookup(c, p.text)
	switch {
	case len(values) == 1:
		return values[0], true
	case len(values) == 0 && p.fallback != nil:
		return *p.fallback, true
	default:
		return "", false
	}
}

// cutPrefix returns the length of the prefix of s.
func cutPrefix(s, prefix string, fold bool) (int, bool) {
	if strings.HasPrefix(s, prefix) {
		return len(prefix), true
	}
	if !fold {
		return 0, false
	}
	for i := range len(prefix) {
		switch {
		case i == len(s):
			return 0, false
		case prefix[i]|s[i] >= utf8.RuneSelf:
			n, ok := cutPrefixFold(s[i:], prefix[i:])
			return i + n, ok
		case lower(prefix[i]) != lower(s[i]):
			return 0, false
		}
	}
	return len(prefix), true
}

// lower is for ASCII.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// cutPrefixFold returns the length of the prefix of s, each of whose characters may
// differ by case, as in [strings.EqualFold].
func cutPrefixFold(s, prefix string) (int, bool) {
	at := 0
	for _, want := range prefix {
		got, width := utf8.DecodeRuneInString(s[at:])
		if width == 0 || !sameFold(got, want) {
			return 0, false
		}
		at += width
	}
	return at, true
}

func sameFold(a, b rune) bool {
	if a == b {
		return true
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}

// endOfSegments returns where the sixth segment of an ARN begins; 0 for what is not
// an ARN.
func endOfSegments(s string) int {
	if !strings.HasPrefix(s, "arn:") {
		return 0
	}
	at := 0
	for range 5 {
		i := strings.IndexByte(s[at:], ':')
		if i < 0 {
			return 0
		}
		at += i + 1
	}
	return at
}

// lookup returns the values of a context key; none if it is absent.
func lookup(c Context, key string) []string {
	if c == nil {
		return nil
	}
	values, ok := c.Values(key)
	if !ok {
		return nil
	}
	return values
}
