package alarm

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/keystore"
)

// DefaultInterval is how often alarms are evaluated.
const DefaultInterval = 10 * time.Second

// Options say what is evaluated. Gatherer is mandatory.
type Options struct {
	// Alarms are those of Table. Those that Prometheus alone can tell are left out.
	Alarms []Alarm
	// Gatherer has the metrics. It is asked by one goroutine.
	Gatherer prometheus.Gatherer
	// Interval is how often it is asked; 0: DefaultInterval.
	Interval time.Duration
	// Logger is told when an alarm begins to fire and when it ends. It may be nil.
	Logger hclog.Logger
}

// Evaluator evaluates alarms over what a Gatherer has. It collects the metric
// strongroom_alarm_firing, and its methods may be called from many goroutines.
type Evaluator struct {
	o       Options
	history *history // of Run's goroutine
	failed  bool     // gathering, the last time
	firing  *prometheus.Desc

	mu     sync.Mutex
	states []*state
}

var (
	_ keystore.Alarms      = (*Evaluator)(nil)
	_ prometheus.Collector = (*Evaluator)(nil)
)

// New returns an Evaluator, which does nothing before Run.
func New(o Options) *Evaluator {
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	o.Alarms = slices.DeleteFunc(slices.Clone(o.Alarms), func(a Alarm) bool { return a.Outside })
	e := &Evaluator{
		o: o, history: newHistory(o.Alarms),
		firing: prometheus.NewDesc("strongroom_alarm_firing", "1 while the alarm is firing for anything.", []string{"alarm", "severity"}, nil),
	}
	for _, a := range o.Alarms {
		e.states = append(e.states, newState(a))
	}
	return e
}

// Run evaluates the alarms now and at each interval until ctx ends.
func (e *Evaluator) Run(ctx context.Context) {
	ticker := time.NewTicker(e.o.Interval)
	defer ticker.Stop()
	for {
		e.evaluate(time.Now())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// evaluate gathers the metrics and brings the alarms up to date.
func (e *Evaluator) evaluate(now time.Time) {
	families, err := e.o.Gatherer.Gather()
	if err != nil && !e.failed {
		e.o.Logger.Error("some metrics cannot be gathered: alarms that are made of them stay quiet", "error", err)
	}
	e.failed = err != nil
	e.history.add(now, families)
	for _, c := range e.update(now) {
		e.log(c)
	}
}

func (e *Evaluator) update(now time.Time) (changes []change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.states {
		changes = append(changes, s.update(now, s.alarm.When.holds(e.history))...)
	}
	return changes
}

// log tells what has changed, with the labels of what it is about.
func (e *Evaluator) log(c change) {
	about := []any{"alarm", c.alarm.Name, "severity", string(c.alarm.Severity)}
	for _, name := range slices.Sorted(maps.Keys(c.subject.labels)) {
		about = append(about, name, c.subject.labels[name])
	}
	if c.firing {
		e.o.Logger.Warn("an alarm is firing: "+strings.TrimSuffix(c.alarm.Summary, "."), append(about, "value", c.subject.value, "action", c.alarm.Action, "see", c.alarm.runbook())...)
		return
	}
	e.o.Logger.Info("an alarm is over", about...)
}

// List implements keystore.Alarms.
func (e *Evaluator) List() []keystore.Alarm {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]keystore.Alarm, len(e.states))
	for i, s := range e.states {
		all[i] = s.describe()
	}
	return all
}

// Describe implements prometheus.Collector.
func (e *Evaluator) Describe(descs chan<- *prometheus.Desc) { descs <- e.firing }

// Collect implements prometheus.Collector.
func (e *Evaluator) Collect(metrics chan<- prometheus.Metric) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.states {
		value := 0.0
		if s.now == keystore.AlarmFiring {
			value = 1
		}
		metrics <- prometheus.MustNewConstMetric(e.firing, prometheus.GaugeValue, value, s.alarm.Name, string(s.alarm.Severity))
	}
}
