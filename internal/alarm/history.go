package alarm

import (
	"maps"
	"slices"
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// history is what was gathered, of the metrics that conditions are made of and as long as
// they look back.
type history struct {
	// windows are how long the values of each metric are kept; 0: until the next gathering.
	windows map[string]time.Duration
	now     time.Time
	latest  map[string][]sample
	// tracks are in the order in which the series came.
	tracks map[string][]*track
	places map[string]map[string]*track
}

// newHistory returns one for some alarms.
func newHistory(alarms []Alarm) *history {
	h := &history{windows: map[string]time.Duration{}, tracks: map[string][]*track{}, places: map[string]map[string]*track{}}
	for _, a := range alarms {
		a.When.reads(func(metric string, window time.Duration) { h.windows[metric] = max(window, h.windows[metric]) })
	}
	return h
}

// add takes in what was gathered at a time, which is later than those before.
func (h *history) add(now time.Time, families []*dto.MetricFamily) {
	h.now, h.latest = now, map[string][]sample{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			h.metric(f, m)
		}
	}
	for metric, window := range h.windows {
		h.forget(metric, now.Add(-window))
	}
}

// metric takes in a metric, of a histogram its parts.
func (h *history) metric(f *dto.MetricFamily, m *dto.Metric) {
	name := f.GetName()
	switch f.GetType() {
	case dto.MetricType_COUNTER:
		h.value(name, m, m.GetCounter().GetValue())
	case dto.MetricType_GAUGE:
		h.value(name, m, m.GetGauge().GetValue())
	case dto.MetricType_UNTYPED:
		h.value(name, m, m.GetUntyped().GetValue())
	case dto.MetricType_HISTOGRAM:
		h.histogram(name, m, m.GetHistogram())
	case dto.MetricType_SUMMARY, dto.MetricType_GAUGE_HISTOGRAM: // there are none
	}
}

func (h *history) histogram(name string, m *dto.Metric, of *dto.Histogram) {
	h.value(name+"_sum", m, of.GetSampleSum())
	h.value(name+"_count", m, float64(of.GetSampleCount()))
	for _, b := range of.GetBucket() {
		bound := strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64)
		h.value(name+"_bucket", m, float64(b.GetCumulativeCount()), bucketLabel, bound)
	}
	h.value(name+"_bucket", m, float64(of.GetSampleCount()), bucketLabel, "+Inf")
}

// value takes in a value, with labels beside those of the metric: names and values in turn.
func (h *history) value(name string, m *dto.Metric, v float64, more ...string) {
	window, wanted := h.windows[name]
	if !wanted {
		return
	}
	l := labels{}
	for _, p := range m.GetLabel() {
		if p.GetValue() != "" { // else it is not there, as in Prometheus
			l[p.GetName()] = p.GetValue()
		}
	}
	for pair := range slices.Chunk(more, 2) {
		l[pair[0]] = pair[1]
	}
	h.latest[name] = append(h.latest[name], sample{l, v})
	if window > 0 {
		t := h.track(name, l)
		t.points = append(t.points, point{h.now, v})
	}
}

func (h *history) track(name string, l labels) *track {
	key := l.key()
	if t := h.places[name][key]; t != nil {
		return t
	}
	if h.places[name] == nil {
		h.places[name] = map[string]*track{}
	}
	t := &track{labels: l}
	h.places[name][key] = t
	h.tracks[name] = append(h.tracks[name], t)
	return t
}

// forget drops the values of a metric up to a time, and series that have no others.
func (h *history) forget(metric string, until time.Time) {
	for _, t := range h.tracks[metric] {
		kept := t.since(until)
		t.points = t.points[:copy(t.points, kept)]
	}
	empty := func(t *track) bool { return len(t.points) == 0 }
	h.tracks[metric] = slices.DeleteFunc(h.tracks[metric], empty)
	maps.DeleteFunc(h.places[metric], func(_ string, t *track) bool { return empty(t) })
}
