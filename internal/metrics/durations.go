package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// bounds are the upper bounds of the buckets that times of requests are counted in: from
// what the fastest HSM takes to the longest deadlines.
var bounds = [...]time.Duration{
	250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// durations is a histogram of times. To add one costs a fifth of what it costs in
// prometheus's own histogram, which each request would pay several times.
type durations struct {
	counts [len(bounds) + 1]atomic.Uint64 // of each bucket, and of what is longer
	sum    atomic.Int64                   // nanoseconds
}

// add counts a time.
func (d *durations) add(t time.Duration) {
	i := 0
	for i < len(bounds) && t > bounds[i] {
		i++
	}
	d.counts[i].Add(1)
	d.sum.Add(int64(t))
}

// metric is the histogram as it is now.
func (d *durations) metric(desc *prometheus.Desc, labels ...string) prometheus.Metric {
	var count uint64
	buckets := make(map[float64]uint64, len(bounds))
	for i := range d.counts {
		count += d.counts[i].Load()
		if i < len(bounds) {
			buckets[bounds[i].Seconds()] = count
		}
	}
	return prometheus.MustNewConstHistogram(desc, count, time.Duration(d.sum.Load()).Seconds(), buckets, labels...)
}
