package describe

import (
	"fmt"
	"strings"
)

// ValidationError says what is wrong with a message, in the words of AWS's
// ValidationException. It holds no secret value.
type ValidationError struct {
	// Violations are the members that break a constraint.
	Violations []Violation
	// Text is the whole message when there are no violations, but members that
	// do not go together.
	Text string
}

// Violation is one constraint that one member breaks. A codec that meets what a
// message cannot hold, such as an unknown enum spelling, makes its own.
type Violation struct {
	// Path is the member, e.g. "keyId" or "tags.1.member.tagKey".
	Path string
	// Value is the value as the message shows it: null, or in single quotes.
	// Empty for a secret and for bytes, whose values are never shown.
	Value string
	// Constraint is what the value must satisfy.
	Constraint string
}

// maxShown bounds what a message shows of a value, in bytes, so that an error
// fits into a gRPC status and an API event whatever the request held.
const maxShown = 256

// Error returns AWS's message.
func (e *ValidationError) Error() string {
	if len(e.Violations) == 0 {
		return e.Text
	}
	var b strings.Builder
	plural := "s"
	if len(e.Violations) == 1 {
		plural = ""
	}
	fmt.Fprintf(&b, "%d validation error%s detected: ", len(e.Violations), plural)
	for i, v := range e.Violations {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(v.String())
	}
	return b.String()
}

// String returns AWS's words for the violation.
func (v Violation) String() string {
	subject := "Value"
	if v.Value != "" {
		subject += " " + v.Value
	}
	return fmt.Sprintf("%s at '%s' failed to satisfy constraint: %s", subject, v.Path, v.Constraint)
}

// Quote returns a value as a violation shows it: in single quotes, and cut when
// it is longer than 256 bytes.
func Quote(value string) string { return "'" + clip(value, maxShown) + "'" }

// clip cuts s to at most limit bytes, not inside a character, and marks the cut.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
