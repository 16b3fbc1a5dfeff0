package history_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/internal/metrics/history"
)

// told returns the values of a source by the names of their series.
func told(source history.Source) map[string]float64 {
	all := map[string]float64{}
	for _, v := range source() {
		all[v.Series.Name] = v.Value
	}
	return all
}

// What Prometheus is told in all since the start is told here of the time since the last sample.
func TestServiceSeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "strongroom_requests_total"}, []string{"operation", "outcome"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "strongroom_request_duration_seconds", Buckets: []float64{.001, .01, .1}}, []string{"operation"})
	throttled := prometheus.NewCounter(prometheus.CounterOpts{Name: "strongroom_throttled_total"})
	inFlight := prometheus.NewGauge(prometheus.GaugeOpts{Name: "strongroom_requests_in_flight"})
	registry.MustRegister(requests, duration, throttled, inFlight)
	answer := func(operation, outcome string, seconds float64, times int) {
		for range times {
			requests.WithLabelValues(operation, outcome).Inc()
			duration.WithLabelValues(operation).Observe(seconds)
		}
	}
	source := history.Service(registry)
	expect := func(when string, want map[string]float64) {
		t.Helper()
		if diff := cmp.Diff(want, told(source), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	expect("before the first request", map[string]float64{"Throttles": 0, "RequestsInFlight": 0})
	answer("Encrypt", "ok", 0.002, 90)
	answer("Decrypt", "ok", 0.004, 9)
	answer("Decrypt", "ThrottlingException", 0.05, 1)
	throttled.Inc()
	inFlight.Set(3)
	expect("after 100 requests", map[string]float64{
		"Requests": 100, "Errors": 1, "Throttles": 1, "RequestsInFlight": 3, "LatencyMean": (180 + 36 + 50) / 100., "LatencyP99": 10,
	})
	answer("Encrypt", "ok", 0.0005, 4)
	expect("after 4 more", map[string]float64{
		"Requests": 4, "Errors": 0, "Throttles": 0, "RequestsInFlight": 3, "LatencyMean": 0.5, "LatencyP99": 0.99,
	})
	answer("Encrypt", "ok", 7, 1)
	expect("after one beyond all buckets", map[string]float64{
		"Requests": 1, "Errors": 0, "Throttles": 0, "RequestsInFlight": 3, "LatencyMean": 7000, "LatencyP99": 100,
	})
	expect("after nothing", map[string]float64{"Requests": 0, "Errors": 0, "Throttles": 0, "RequestsInFlight": 3})
}

func TestServiceSeriesOfNothing(t *testing.T) {
	if got := told(history.Service(prometheus.NewRegistry())); len(got) != 0 {
		t.Errorf("of no metrics there are %v", got)
	}
}
