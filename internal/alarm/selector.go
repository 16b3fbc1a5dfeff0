package alarm

import (
	"regexp"
	"strconv"
	"strings"
)

// Selector selects the series of a metric by their labels.
type Selector struct {
	metric   string
	matchers []matcher
}

// Series are all series of a metric. Those of a histogram are of its _bucket, _sum and
// _count.
func Series(metric string) Selector { return Selector{metric: metric} }

// With are those whose label has a value.
func (s Selector) With(label, value string) Selector {
	return s.and(matcher{label: label, operator: "=", value: value, matches: func(v string) bool { return v == value }})
}

// Without are those whose label has another value, or is not there.
func (s Selector) Without(label, value string) Selector {
	return s.and(matcher{label: label, operator: "!=", value: value, matches: func(v string) bool { return v != value }})
}

// Like are those whose label is matched by a regular expression as a whole. It is constant
// and panics if it is none.
func (s Selector) Like(label, pattern string) Selector {
	return s.and(matcher{label: label, operator: "=~", value: pattern, matches: regexp.MustCompile("^(?:" + pattern + ")$").MatchString})
}

func (s Selector) and(m matcher) Selector {
	return Selector{metric: s.metric, matchers: append(s.matchers[:len(s.matchers):len(s.matchers)], m)}
}

// PromQL prints the selector.
func (s Selector) PromQL() string {
	if len(s.matchers) == 0 {
		return s.metric
	}
	conditions := make([]string, len(s.matchers))
	for i, m := range s.matchers {
		conditions[i] = m.label + m.operator + strconv.Quote(m.value)
	}
	return s.metric + "{" + strings.Join(conditions, ", ") + "}"
}

func (s Selector) selects(l labels) bool {
	for _, m := range s.matchers {
		if !m.matches(l[m.label]) {
			return false
		}
	}
	return true
}

// matcher is a condition on a label. One that is not there is as an empty one.
type matcher struct {
	label, operator, value string
	matches                func(string) bool
}
