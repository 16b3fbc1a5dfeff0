package alarm

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// script is series in time, a value of each at each step; math.NaN() is none.
type script struct {
	step   time.Duration
	series []scriptSeries
}

type scriptSeries struct {
	metric string
	labels labels
	values []float64
}

// start is when scripts begin: as those of promtool, in 1970.
func start() time.Time { return time.UnixMilli(0).UTC() }

// at is what is gathered at a step.
func (s script) at(step int) prometheus.GathererFunc {
	return func() ([]*dto.MetricFamily, error) {
		var all []*dto.MetricFamily
		for _, one := range s.series {
			if step < len(one.values) && !math.IsNaN(one.values[step]) {
				all = append(all, family(one.metric, one.labels, one.values[step]))
			}
		}
		return all, nil
	}
}

func family(metric string, l labels, value float64) *dto.MetricFamily {
	m := &dto.Metric{Untyped: &dto.Untyped{Value: &value}}
	for name, v := range l {
		m.Label = append(m.Label, &dto.LabelPair{Name: &name, Value: &v})
	}
	return &dto.MetricFamily{Name: &metric, Type: dto.MetricType_UNTYPED.Enum(), Metric: []*dto.Metric{m}}
}

var (
	seriesPattern = regexp.MustCompile(`^(\w+)(?:\{(.*)\})?$`)
	labelPattern  = regexp.MustCompile(`(\w+)="([^"]*)"`)
	valuesPattern = regexp.MustCompile(`^(-?[\d.]+)(?:([+-][\d.]+))?(?:x(\d+))?$`)
)

// parseSeries reads the name and the labels of a series.
func parseSeries(t *testing.T, text string) (metric string, l labels) {
	t.Helper()
	m := seriesPattern.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%s is no series", text)
	}
	l = labels{}
	for _, p := range labelPattern.FindAllStringSubmatch(m[2], -1) {
		l[p[1]] = p[2]
	}
	return m[1], l
}

// parseValues reads values as promtool has them: 1, 1x3 (four of them), 1+2x3 (1, 3, 5,
// 7), stale.
func parseValues(t *testing.T, text string) (values []float64) {
	t.Helper()
	for field := range strings.FieldsSeq(text) {
		if field == "stale" {
			values = append(values, math.NaN())
			continue
		}
		m := valuesPattern.FindStringSubmatch(field)
		if m == nil {
			t.Fatalf("%s is no value", field)
		}
		value, by, times := parseNumber(t, m[1]), parseNumber(t, m[2]), parseNumber(t, m[3])
		for range int(times) + 1 {
			values = append(values, value)
			value += by
		}
	}
	return values
}

// parseNumber reads a number; none is 0.
func parseNumber(t *testing.T, text string) float64 {
	t.Helper()
	if text == "" {
		return 0
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// play evaluates alarms at each step, and tells which fire: as Prometheus's series ALERTS.
func play(alarms []Alarm, s script, steps int, then func(step int, firing []string)) {
	e := New(Options{Alarms: alarms})
	for step := range steps {
		e.o.Gatherer = s.at(step)
		e.evaluate(start().Add(time.Duration(step) * s.step))
		then(step, firing(e))
	}
}

func firing(e *Evaluator) (all []string) {
	for _, a := range e.List() {
		for _, s := range a.Subjects {
			if s.State == alarmFiring {
				all = append(all, alert(a.Name, a.Severity, s.Labels))
			}
		}
	}
	return all
}

// alert is the series of ALERTS that Prometheus has for an alarm and what it is firing for.
func alert(name, severity string, l labels) string {
	all := maps.Clone(l)
	maps.Copy(all, labels{"alertname": name, "alertstate": "firing", "severity": severity, "service": "strongroom"})
	return "ALERTS" + printLabels(all)
}

func printLabels(l labels) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(l)) {
		pairs = append(pairs, name+"="+strconv.Quote(l[name]))
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}
