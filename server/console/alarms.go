package console

import (
	"strings"
	"time"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// Filter is a condition whose matches are counted: what an alarm on its metric is about
// is found by searching for it.
type Filter struct {
	// HSMLog says that it is on the HSMs' logs, else on API events.
	HSMLog bool
	// Condition is in CEL.
	Condition string
}

// alarmsPage is all alarms: those that need somebody, and the others.
type alarmsPage struct {
	Active, Quiet []alarm
	Failure       *failure
}

// alarm is an alarm as the page shows it.
type alarm struct {
	*operatorv1.AlarmDescription

	filters map[string]Filter
}

func alarms(v *visit) view {
	found := v.describeAlarms()
	p := alarmsPage{Failure: found.Failure}
	for _, a := range found.Value.GetAlarms() {
		shown := alarm{a, v.filters}
		if a.GetState() == operatorv1.AlarmState_ALARM_STATE_OK {
			p.Quiet = append(p.Quiet, shown)
		} else {
			p.Active = append(p.Active, shown)
		}
	}
	return view{File: "alarms.html", Title: "Alarms", Section: "/alarms", Stream: "/streams/metrics", Status: p.Failure.status(), Body: p}
}

// subject is one of the things that an alarm is about.
type subject struct {
	*operatorv1.AlarmSubject

	// Shown is the value in the unit of what is compared, Search the address of the records
	// that it is about; empty: it is about no records.
	Shown, Search string
}

// Subjects are those that the alarm is about.
func (a alarm) Subjects() (all []subject) {
	for _, s := range a.GetSubjects() {
		all = append(all, subject{s, valueOf(a.GetCondition(), s.GetValue()), a.search(s)})
	}
	return all
}

// search is the address of the records that a metric filter has counted.
func (a alarm) search(s *operatorv1.AlarmSubject) string {
	for _, l := range s.GetLabels() {
		f, known := a.filters[l.GetValue()]
		switch {
		case l.GetName() != "filter" || !known:
		case f.HSMLog:
			return address("/hsm-log", "filter", f.Condition)
		default:
			return address("/events", "filter", f.Condition)
		}
	}
	return ""
}

// valueOf writes what a condition compares: a share, if it divides one by another; a time, by
// the names of metrics, which end with their unit; or else a number.
func valueOf(condition string, value float64) string {
	switch {
	case strings.Contains(condition, " / ") || strings.Contains(condition, "_ratio"):
		return figure(100*value, "Percent")
	case strings.Contains(condition, "_seconds"):
		return span(time.Duration(value * float64(time.Second)))
	}
	return figure(value, "")
}

// span is a length of time in its two largest units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "-" + span(-d)
	case d < time.Minute:
		return seconds(d.Seconds())
	case d < time.Hour:
		return pair(d, time.Minute, "min", time.Second, "s")
	case d < 2*day:
		return pair(d, time.Hour, "h", time.Minute, "min")
	}
	return pair(d, day, "days", time.Hour, "h")
}

func pair(d, large time.Duration, name string, small time.Duration, smallName string) string {
	text := grouped(int64(d/large)) + " " + name
	if rest := d % large / small; rest > 0 {
		text += " " + grouped(int64(rest)) + " " + smallName
	}
	return text
}
