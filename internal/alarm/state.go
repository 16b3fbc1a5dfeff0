package alarm

import (
	"maps"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/keystore"
)

// state is how an alarm is. It is for one goroutine at a time.
type state struct {
	alarm    Alarm
	subjects map[string]*subject
	// now is the worst of its subjects' states, since is when it changed; zero: never.
	now   keystore.AlarmState
	since time.Time
}

// subject is one of the things that an alarm is about, while it is so for it.
type subject struct {
	labels labels
	value  float64
	state  keystore.AlarmState
	since  time.Time // of the state
}

func newState(a Alarm) *state {
	return &state{alarm: a, subjects: map[string]*subject{}, now: keystore.AlarmOK}
}

// change is a subject for which an alarm has begun to fire, or ended to.
type change struct {
	alarm   Alarm
	subject subject
	firing  bool
}

// update takes in what the condition holds for at a time, and returns what has changed.
func (s *state) update(now time.Time, holds []sample) (changes []change) {
	seen := map[string]bool{}
	for _, h := range holds {
		seen[h.labels.key()] = true
		if one := s.hold(now, h); one.fires(now, s.alarm.For) {
			changes = append(changes, change{s.alarm, *one, true})
		}
	}
	for key, one := range s.subjects {
		if seen[key] {
			continue
		}
		delete(s.subjects, key)
		if one.state == keystore.AlarmFiring {
			changes = append(changes, change{s.alarm, *one, false})
		}
	}
	s.judge(now)
	return changes
}

// hold notes that the condition holds.
func (s *state) hold(now time.Time, h sample) *subject {
	one := s.subjects[h.labels.key()]
	if one == nil {
		one = &subject{labels: h.labels, state: keystore.AlarmPending, since: now}
		s.subjects[h.labels.key()] = one
	}
	one.value = h.value
	return one
}

// fires lets a subject fire that was pending for long enough, and says whether it began to.
func (s *subject) fires(now time.Time, after time.Duration) bool {
	if s.state == keystore.AlarmFiring || now.Sub(s.since) < after {
		return false
	}
	s.state, s.since = keystore.AlarmFiring, now
	return true
}

// judge sets the alarm's state from those of its subjects.
func (s *state) judge(now time.Time) {
	worst := keystore.AlarmOK
	for _, one := range s.subjects {
		worst = max(worst, one.state)
	}
	if worst != s.now {
		s.now, s.since = worst, now
	}
}

// describe describes the alarm for operators.
func (s *state) describe() keystore.Alarm {
	d := keystore.Alarm{
		Name: s.alarm.Name, Severity: string(s.alarm.Severity), Summary: s.alarm.Summary,
		Action:    s.alarm.Action + " See " + s.alarm.runbook() + ".",
		Condition: s.alarm.When.PromQL(), State: s.now, Since: s.since,
	}
	for _, key := range slices.Sorted(maps.Keys(s.subjects)) {
		one := s.subjects[key]
		d.Subjects = append(d.Subjects, keystore.AlarmSubject{Labels: maps.Clone(one.labels), Value: one.value, State: one.state, Since: one.since})
	}
	return d
}
