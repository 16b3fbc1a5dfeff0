package alarm

import "time"

// point is a value at a time.
type point struct {
	at    time.Time
	value float64
}

// track is the recent values of a series, oldest first.
type track struct {
	labels labels
	points []point
}

// since returns the values after a time.
func (t *track) since(start time.Time) []point {
	for i, p := range t.points {
		if p.at.After(start) {
			return t.points[i:]
		}
	}
	return nil
}

// growth is by how much a counter has grown from start to end, as Prometheus computes it:
// what it fell by is a reset, and what was seen is extrapolated to the ends of the time if
// a value is near them. It needs two values.
func growth(points []point, start, end time.Time) (grown float64, ok bool) {
	if len(points) < 2 {
		return 0, false
	}
	first, last := points[0], points[len(points)-1]
	grown = last.value - first.value
	for i := 1; i < len(points); i++ {
		if points[i].value < points[i-1].value {
			grown += points[i-1].value
		}
	}
	seen := last.at.Sub(first.at).Seconds()
	between := seen / float64(len(points)-1)
	before, after := first.at.Sub(start).Seconds(), end.Sub(last.at).Seconds()
	if grown > 0 && first.value >= 0 { // it was not below zero before
		before = min(before, seen*first.value/grown)
	}
	return grown * ((seen + reach(before, between) + reach(after, between)) / seen), true
}

// reach is how far beyond what was seen is extrapolated: to the end of the time if another
// value might have been expected only there, else half the way to the next value.
func reach(distance, between float64) float64 {
	if distance < between*1.1 {
		return distance
	}
	return between / 2
}
