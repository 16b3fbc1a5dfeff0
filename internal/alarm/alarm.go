package alarm

import (
	"slices"
	"strings"
	"time"
)

// Severity says how soon somebody has to look.
type Severity string

// Severities.
const (
	// Critical: now. Requests fail, or soon will.
	Critical Severity = "critical"
	// Warning: today.
	Warning Severity = "warning"
	// Info: when there is time.
	Info Severity = "info"
)

// Alarm is what operators are told of.
type Alarm struct {
	// Name is the alert's in Prometheus.
	Name     string
	Severity Severity
	// Summary says what it means, in a sentence; Action what to do.
	Summary, Action string
	// Runbook is the part of the documents that goes on from there: a file in docs/ and an
	// anchor.
	Runbook string
	// When is what it is about.
	When Condition
	// For is how long that has to be so, without a break.
	For time.Duration
	// Outside says that Prometheus alone can tell.
	Outside bool
}

// Settings are what conditions depend on of a server's configuration.
type Settings struct {
	// DigestPeriod is how long log files wait for a digest.
	DigestPeriod time.Duration
}

// DefaultSettings are those of a configuration that says nothing else; the file of
// Prometheus's rules is made for them.
func DefaultSettings() Settings { return Settings{DigestPeriod: time.Hour} }

// Table is all alarms, in the order of their names.
func Table(s Settings) []Alarm {
	all := slices.Concat(hsmAlarms(), pinAlarms(), clusterAlarms(), auditAlarms(s), sinkAlarms(s), requestAlarms(), keyAlarms(), filterAlarms(), outsideAlarms())
	slices.SortFunc(all, func(a, b Alarm) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// runbook is where the runbook is in the repository.
func (a Alarm) runbook() string { return "docs/" + a.Runbook }
