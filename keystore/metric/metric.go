// Package metric is what is known of figures that are kept over time: which series there
// are, and their values minute by minute. It has no state.
package metric

import (
	"strings"
	"time"
)

// Namespaces of series.
const (
	// CloudHSM has the metrics of HSMs that AWS CloudHSM has.
	CloudHSM = "AWS/CloudHSM"
	// Service has those of this service.
	Service = "Strongroom"
)

// Period is what a Point is of.
const Period = time.Minute

// Dimension is one of the names that tell series of the same metric apart.
type Dimension struct{ Name, Value string }

// Series is a metric of one thing.
type Series struct {
	Namespace, Name string
	// Dimensions are in the order of their names.
	Dimensions []Dimension
	// Unit is one of CloudWatch's, as it spells it: "Count", "Bytes", "Milliseconds", "None" or
	// another.
	Unit string
}

// Key names the series among all others: two are the same if their keys are.
func (s Series) Key() string {
	var b strings.Builder
	b.WriteString(s.Namespace)
	b.WriteByte(0)
	b.WriteString(s.Name)
	for _, d := range s.Dimensions {
		b.WriteByte(0)
		b.WriteString(d.Name)
		b.WriteByte(0)
		b.WriteString(d.Value)
	}
	return b.String()
}

// Point is what a series was in the minute that begins at Time.
type Point struct {
	Time          time.Time
	Min, Max, Sum float64
	// Samples is how many values Sum is of; not 0.
	Samples uint32
}

// Average is the mean of the samples.
func (p Point) Average() float64 { return p.Sum / float64(p.Samples) }

// With is the point of both.
func (p Point) With(q Point) Point {
	return Point{
		Time: p.Time, Min: min(p.Min, q.Min), Max: max(p.Max, q.Max), Sum: p.Sum + q.Sum,
		Samples: p.Samples + q.Samples,
	}
}

// Value is a series at a moment.
type Value struct {
	Series Series
	Value  float64
}

// Sample is all series at a moment.
type Sample struct {
	Time   time.Time
	Values []Value
}
