package policy

import (
	"slices"
	"strings"
)

// document is a policy in force: what an IAM JSON document says once it has been
// parsed and checked.
type document struct {
	name       string
	statements []statement
}

// statement allows each of its actions on each of its resources.
type statement struct {
	actions   []pattern
	resources []pattern
}

// pattern is a string to be equal to, or, with a "*" at its end, to begin with.
type pattern string

func (d document) allows(action, resource string) bool {
	return slices.ContainsFunc(d.statements, func(s statement) bool {
		return matchesAny(s.actions, action) && matchesAny(s.resources, resource)
	})
}

func matchesAny(patterns []pattern, s string) bool {
	return slices.ContainsFunc(patterns, func(p pattern) bool { return p.matches(s) })
}

func (p pattern) matches(s string) bool {
	if prefix, ok := strings.CutSuffix(string(p), "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return s == string(p)
}
