package describe

import (
	"fmt"
	"regexp"
)

// Pattern is a regular expression that a whole string must match.
type Pattern struct {
	// Text is the pattern as AWS's model has it.
	Text string

	re *regexp.Regexp
}

// unicodeEscape is how AWS's model writes a character by its number; RE2 writes
// \x{XXXX}.
var unicodeEscape = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// compilePattern compiles a pattern of AWS's model.
func compilePattern(text string) (*Pattern, error) {
	re, err := regexp.Compile(`^(?:` + unicodeEscape.ReplaceAllString(text, `\x{$1}`) + `)$`)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	return &Pattern{Text: text, re: re}, nil
}

// Match says whether the whole of s matches.
func (p *Pattern) Match(s string) bool { return p.re.MatchString(s) }
