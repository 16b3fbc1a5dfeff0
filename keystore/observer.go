package keystore

import (
	"context"
	"iter"
	"time"

	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// Front ends, as Caller names them.
const (
	FrontEndGRPC    = "grpc"
	FrontEndAWS     = "aws"
	FrontEndConsole = "console"
)

// Observer is told of each request when it is answered. It is called on the request's
// way, by many goroutines, and returns at once.
type Observer interface {
	Answered(a Answered)
}

// Answered is what became of a request, and the time that it took.
type Answered struct {
	// Operation is the method's name, empty if there is no such method; FrontEnd is that of
	// the Caller.
	Operation, FrontEnd string
	// Region is whose Keystore answered; Store the custom key store whose HSM was asked, or
	// would have been: empty for the default one.
	Region, Store string
	// Error is the name of the error that was answered; empty: there was none.
	Error string
	// Total is the time in the Keystore, of which Queue was spent waiting for a place at an HSM,
	// HSM for its answers, and Journal for records to be durable.
	Total, Queue, HSM, Journal time.Duration
}

// Figures are the metrics that are kept over time. They are asked by requests, by many
// goroutines.
type Figures interface {
	// Series are all that have a point since a time, in the order of their keys.
	Series(since time.Time) []metric.Series
	// Points are those of a series that begin in [from, to), oldest first; none if there is
	// no such series.
	Points(s metric.Series, from, to time.Time) ([]metric.Point, error)
	// Samples yields the newest sample at once, and each that is taken from then on, every few
	// seconds, until ctx ends.
	Samples(ctx context.Context) iter.Seq[metric.Sample]
}

// ConsoleLinks makes addresses that sign people in to the web console.
type ConsoleLinks interface {
	// Link returns an address that signs its first visitor in as the principal, and until
	// when. It is a secret.
	Link(principal string) (url string, expires time.Time, err error)
}

// Alarms are what operators are told of. They are asked by requests.
type Alarms interface {
	// List returns all alarms, also those that are quiet, in the order of their names.
	List() []Alarm
}

// AlarmState says whether what an alarm is about is so.
type AlarmState int

// The states of an alarm.
const (
	_ AlarmState = iota
	// AlarmOK: it is not so.
	AlarmOK
	// AlarmPending: it is so, but not for long enough.
	AlarmPending
	// AlarmFiring: it has been so for long enough.
	AlarmFiring
)

// Alarm is a condition on metrics that operators are told of.
type Alarm struct {
	// Name is the alert's name in Prometheus's rules, Severity "critical", "warning" or "info".
	Name, Severity string
	// Summary says what it means, and Action what to do about it.
	Summary, Action string
	// Condition is what is compared, in words of PromQL.
	Condition string
	State     AlarmState
	// Since is when it came into this state; zero: it has been in it since the start.
	Since time.Time
	// Subjects are what it is pending or firing for, each as its labels in words
	// ("hsm_id=hsm-a, cluster_id=..."), with the value; empty if it is quiet.
	Subjects []AlarmSubject
}

// AlarmSubject is one of the things that an alarm is about.
type AlarmSubject struct {
	Labels map[string]string
	Value  float64
	State  AlarmState
	Since  time.Time
}
