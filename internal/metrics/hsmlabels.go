package metrics

import (
	"slices"
	"strings"

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

// labels returns labels, given as names and values, in the order of their names.
func (l *labelled) labels(namesAndValues ...string) []*dto.LabelPair {
	all := make([]*dto.LabelPair, 0, len(namesAndValues)/2)
	for i := 0; i < len(namesAndValues); i += 2 {
		at := [2]string{namesAndValues[i], namesAndValues[i+1]}
		pair, ok := l.pairs[at]
		if !ok {
			pair = &dto.LabelPair{Name: &at[0], Value: &at[1]}
			l.pairs[at] = pair
		}
		all = append(all, pair)
	}
	slices.SortFunc(all, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all
}

func (l *labelled) add(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels []*dto.LabelPair) {
	l.metrics <- &labelledMetric{desc: d, kind: kind, value: value, labels: labels}
}

// labelledMetric is a counter or a gauge. Its labels are those of its Desc.
type labelledMetric struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  float64
	labels []*dto.LabelPair // nobody changes them
}

// Desc implements prometheus.Metric.
func (m *labelledMetric) Desc() *prometheus.Desc { return m.desc }

// Write implements prometheus.Metric.
func (m *labelledMetric) Write(to *dto.Metric) error {
	to.Label = m.labels
	if m.kind == prometheus.CounterValue {
		to.Counter = &dto.Counter{Value: &m.value}
	} else {
		to.Gauge = &dto.Gauge{Value: &m.value}
	}
	return nil
}
