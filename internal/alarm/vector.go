package alarm

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Vector is a value for each of some things, which their labels tell apart. There are
// those of this package only.
type Vector interface {
	// PromQL prints the vector.
	PromQL() string
	// reads calls need for each metric that it is made of, with the time before now that it
	// looks at; 0: the latest value is enough.
	reads(need func(metric string, window time.Duration))
	// at evaluates the vector at the time of the newest gathering.
	at(h *history) []sample
}

// Latest is the latest value.
func Latest(s Selector) Vector { return latest{s} }

type latest struct{ Selector }

func (v latest) reads(need func(string, time.Duration)) { need(v.metric, 0) }

func (v latest) at(h *history) (result []sample) {
	for _, s := range h.latest[v.metric] {
		if v.selects(s.labels) {
			result = append(result, s)
		}
	}
	return result
}

// Age is how long ago the time is that the value tells, in seconds since 1970.
func Age(s Selector) Vector { return age{latest{s}} }

type age struct{ latest }

// PromQL prints the vector.
func (v age) PromQL() string { return "time() - " + v.latest.PromQL() }

func (v age) at(h *history) []sample {
	result := v.latest.at(h)
	for i := range result {
		result[i].value = seconds(h.now) - result[i].value
	}
	return result
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// Increase is by how much a counter has grown in the window before now. It takes two
// values in the window to tell.
func Increase(s Selector, window time.Duration) Vector { return increase{s, window} }

type increase struct {
	Selector
	window time.Duration
}

// PromQL prints the vector.
func (v increase) PromQL() string {
	return fmt.Sprintf("increase(%s[%s])", v.Selector.PromQL(), promDuration(v.window))
}

func (v increase) reads(need func(string, time.Duration)) { need(v.metric, v.window) }

func (v increase) at(h *history) (result []sample) {
	for _, s := range h.tracks[v.metric] {
		if !v.selects(s.labels) {
			continue
		}
		if grown, ok := growth(s.since(h.now.Add(-v.window)), h.now.Add(-v.window), h.now); ok {
			result = append(result, sample{s.labels, grown})
		}
	}
	return result
}

// Aggregations.
type aggregation string

const (
	maximum aggregation = "max"
	minimum aggregation = "min"
	total   aggregation = "sum"
)

// Max is the greatest value of those that have the same values of some labels.
func Max(v Vector, by ...string) Vector { return aggregate{maximum, v, by} }

// Min is the least value of those.
func Min(v Vector, by ...string) Vector { return aggregate{minimum, v, by} }

// Sum is the sum of those.
func Sum(v Vector, by ...string) Vector { return aggregate{total, v, by} }

type aggregate struct {
	how aggregation
	of  Vector
	by  []string
}

// PromQL prints the vector.
func (v aggregate) PromQL() string {
	if len(v.by) == 0 {
		return fmt.Sprintf("%s(%s)", v.how, v.of.PromQL())
	}
	return fmt.Sprintf("%s by (%s) (%s)", v.how, strings.Join(v.by, ", "), v.of.PromQL())
}

func (v aggregate) reads(need func(string, time.Duration)) { v.of.reads(need) }

func (v aggregate) at(h *history) (result []sample) {
	place := map[string]int{}
	for _, s := range v.of.at(h) {
		group := s.labels.only(v.by)
		i, known := place[group.key()]
		if !known {
			place[group.key()] = len(result)
			result = append(result, sample{group, s.value})
			continue
		}
		result[i].value = v.how.join(result[i].value, s.value)
	}
	return result
}

// join takes in another value. What is not a number is neither the greatest nor the least.
func (a aggregation) join(sofar, value float64) float64 {
	switch {
	case a == total:
		return sofar + value
	case math.IsNaN(sofar), a == maximum && value > sofar, a == minimum && value < sofar:
		return value
	}
	return sofar
}

// Ratio is one vector divided by another, of those things that both have.
func Ratio(v, by Vector) Vector {
	return binary{"/", v, by, func(a, b float64) float64 { return a / b }}
}

// Difference is one vector less another, of those things that both have.
func Difference(v, less Vector) Vector {
	return binary{"-", v, less, func(a, b float64) float64 { return a - b }}
}

// Spread is how far the greatest value and the least are apart, of those that have the same
// values of some labels.
func Spread(v Vector, by ...string) Vector { return Difference(Max(v, by...), Min(v, by...)) }

type binary struct {
	operator    string
	left, right Vector
	apply       func(a, b float64) float64
}

// PromQL prints the vector.
func (v binary) PromQL() string { return v.left.PromQL() + " " + v.operator + " " + v.right.PromQL() }

func (v binary) reads(need func(string, time.Duration)) {
	v.left.reads(need)
	v.right.reads(need)
}

func (v binary) at(h *history) (result []sample) {
	right := map[string]float64{}
	for _, s := range v.right.at(h) {
		right[s.labels.key()] = s.value
	}
	for _, s := range v.left.at(h) {
		if value, both := right[s.labels.key()]; both {
			result = append(result, sample{s.labels, v.apply(s.value, value)})
		}
	}
	return result
}

// promDuration prints a duration as Prometheus does: 1h30m, 10s.
func promDuration(d time.Duration) string {
	var b strings.Builder
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := int64(d / unit.is); n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit.name)
			d %= unit.is
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}
