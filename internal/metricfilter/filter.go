// Package metricfilter counts the records of the audit trails that match conditions, as
// the metric filters of CloudWatch Logs do: any deletion of a key, any failed login. It
// reads the trails behind the journal and holds up nobody.
package metricfilter

import (
	"slices"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/filter"
	"github.com/strongroom-kms/strongroom/audit/index"
)

// Trails that a Filter can be on.
const (
	Events = "events"
	HSMLog = "hsm_log"
)

// Filter is a named condition on the records of a trail.
type Filter struct {
	// Name is the value of the metric's label.
	Name string
	// Trail is Events or HSMLog.
	Trail string
	// When is the condition, in CEL, on `event` or `entry` (package audit/filter).
	When string
}

// AccessDenied is the name of the built-in filter on requests that were denied.
const AccessDenied = "access-denied"

// Builtin are the filters that are always there.
func Builtin() []Filter {
	return []Filter{
		{Name: AccessDenied, Trail: Events, When: `has(event.errorCode) && event.errorCode.startsWith("AccessDenied")`},
		{Name: "failed-login", Trail: HSMLog, When: `entry.opcode == "CN_LOGIN" && entry.rv != 0`},
		{Name: "schedule-key-deletion", Trail: Events, When: `event.eventName == "ScheduleKeyDeletion"`},
	}
}

// WithBuiltin are filters, and those built-in ones whose names none of them has.
func WithBuiltin(filters []Filter) []Filter {
	all := slices.Clone(filters)
	for _, b := range Builtin() {
		if !slices.ContainsFunc(filters, func(f Filter) bool { return f.Name == b.Name }) {
			all = append(all, b)
		}
	}
	return all
}

// Check says what is wrong with the condition, and where.
func (f Filter) Check() error {
	_, err := f.compile()
	return err
}

// compiled is a Filter that records can be compared with. It is for one goroutine.
type compiled struct {
	Filter
	kind      audit.RecordKind
	terms     *index.Matcher // nil: no terms follow from the condition
	condition *filter.Filter
}

func (f Filter) compile() (*compiled, error) {
	kind := audit.RecordEvent
	if f.Trail == HSMLog {
		kind = audit.RecordHSMEntry
	}
	condition, err := filter.Compile(index.Kind(kind), f.When)
	if err != nil {
		return nil, err
	}
	c := &compiled{Filter: f, kind: kind, condition: condition}
	if terms := condition.Terms(); len(terms) > 0 {
		c.terms = index.NewMatcher(index.Kind(kind), terms)
	}
	return c, nil
}

// match says whether a record matches. Its terms are looked for first, which costs less than
// to read all of it.
func (c *compiled) match(r audit.Record) (bool, error) {
	if r.Kind != c.kind {
		return false, nil
	}
	if c.terms != nil {
		if possible, _ := c.terms.Match(r.JSON); !possible {
			return false, nil
		}
	}
	return c.condition.Match(r.JSON)
}
