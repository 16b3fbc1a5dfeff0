package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// labelled makes metrics that share labels. A scrape has thousands of them with the same few
// labels, and most of its cost would be to make these for each anew.
type labelled struct {
	metrics chan<- prometheus.Metric
	// pairs has each label and value once.
	pairs map[[2]string]*dto.LabelPair
}

func newLabelled(metrics chan<- prometheus.Metric) *labelled {
	return &labelled{metrics: metrics, pairs: map[[2]string]*dto.LabelPair{}}
}

// labels returns labels, which are given as names and values, in the order of their names.
func (l *labelled) labels(namesAndValues ...string) []*dto.LabelPair {
	all := make([]*dto.LabelPair, 0, len(namesAndValues)/2)
	for i := 0; i < len(namesAndValues); i += 2 {
		at := [2]string{namesAndValues[i], namesAndValues[i+1]}
		pair, ok := l.pairs[at]
		if !ok {
			pair = newPair(at)
			l.pairs[at] = pair
		}
		all = append(all, pair)
	}
	return all
}

func newPair(at [2]string) *dto.LabelPair { return &dto.LabelPair{Name: &at[0], Value: &at[1]} }

func (l *labelled) add(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels []*dto.LabelPair) {
	l.metrics <- &labelledMetric{desc: d, kind: kind, value: value, labels: labels}
}

// labelledMetric is a counter or a gauge. Its labels are those of its Desc.
type labelledMetric struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  float64
	labels []*dto.LabelPair // nobody changes them
	// counter and gauge are here, one of them in use, to be made at once with the rest.
	counter dto.Counter
	gauge   dto.Gauge
}

// Desc implements prometheus.Metric.
func (m *labelledMetric) Desc() *prometheus.Desc { return m.desc }

// Write implements prometheus.Metric. It is called once.
func (m *labelledMetric) Write(to *dto.Metric) error {
	to.Label = m.labels
	if m.kind == prometheus.CounterValue {
		m.counter.Value, to.Counter = &m.value, &m.counter
	} else {
		m.gauge.Value, to.Gauge = &m.value, &m.gauge
	}
	return nil
}
