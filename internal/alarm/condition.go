package alarm

import (
	"slices"
	"time"
)

// Condition is a comparison of a vector with a threshold, and perhaps others. What it
// is so for is what an alarm is about.
type Condition struct {
	vector    Vector
	operator  string
	threshold float64
	and       *Condition
}

// Above holds where the vector is greater than the threshold.
func Above(v Vector, threshold float64) Condition {
	return Condition{vector: v, operator: ">", threshold: threshold}
}

// Below holds where it is less.
func Below(v Vector, threshold float64) Condition {
	return Condition{vector: v, operator: "<", threshold: threshold}
}

// Equals holds where it is the same.
func Equals(v Vector, threshold float64) Condition {
	return Condition{vector: v, operator: "==", threshold: threshold}
}

// And holds where both do, for what has the same labels. The value is that of c, which is a
// single comparison.
func (c Condition) And(other Condition) Condition {
	c.and = &other
	return c
}

// PromQL prints the condition.
func (c Condition) PromQL() string {
	text := c.vector.PromQL() + " " + c.operator + " " + number(c.threshold)
	if c.and != nil {
		text += " and " + c.and.PromQL()
	}
	return text
}

// holds returns what the condition is so for, with the values.
func (c Condition) holds(h *history) (result []sample) {
	for _, s := range c.vector.at(h) {
		if c.compare(s.value) {
			result = append(result, s)
		}
	}
	if c.and == nil {
		return result
	}
	other := map[string]bool{}
	for _, s := range c.and.holds(h) {
		other[s.labels.key()] = true
	}
	return slices.DeleteFunc(result, func(s sample) bool { return !other[s.labels.key()] })
}

func (c Condition) compare(value float64) bool {
	switch c.operator {
	case ">":
		return value > c.threshold
	case "<":
		return value < c.threshold
	default:
		return value == c.threshold
	}
}

// reads calls need for what the condition is made of, as Vector does.
func (c Condition) reads(need func(metric string, window time.Duration)) {
	c.vector.reads(need)
	if c.and != nil {
		c.and.reads(need)
	}
}
