package history

import (
	"math"

	dto "github.com/prometheus/client_model/go"
)

// latency is how long requests took: a histogram.
type latency struct {
	count   uint64
	seconds float64
	bounds  []float64 // of the buckets, ascending
	counts  []uint64  // of requests up to the bounds
}

// latencyOf adds up the histograms of a family, which have the same buckets.
func latencyOf(f *dto.MetricFamily) (l latency) {
	for _, m := range f.GetMetric() {
		h := m.GetHistogram()
		l.count += h.GetSampleCount()
		l.seconds += h.GetSampleSum()
		for i, b := range h.GetBucket() {
			if i == len(l.bounds) {
				l.bounds, l.counts = append(l.bounds, b.GetUpperBound()), append(l.counts, 0)
			}
			l.counts[i] += b.GetCumulativeCount()
		}
	}
	return l
}

func (l latency) minus(before latency) latency {
	grown := latency{count: l.count - before.count, seconds: l.seconds - before.seconds, bounds: l.bounds, counts: make([]uint64, len(l.counts))}
	for i := range l.counts {
		grown.counts[i] = l.counts[i]
		if i < len(before.counts) {
			grown.counts[i] -= before.counts[i]
		}
	}
	return grown
}

// quantile is the time within which that share of the requests was answered: in its bucket
// they are taken to lie evenly. Beyond the last bound nothing is known but the bound.
func (l latency) quantile(share float64) float64 {
	rank, lower, below := share*float64(l.count), 0.0, uint64(0)
	for i, bound := range l.bounds {
		if math.IsInf(bound, 1) {
			break
		}
		if n := l.counts[i]; float64(n) >= rank && n > below {
			return lower + (bound-lower)*(rank-float64(below))/float64(n-below)
		}
		lower, below = bound, l.counts[i]
	}
	return lower
}
