package history

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// The series of the service itself, of the namespace "Strongroom", without dimensions.
const (
	// Requests, Errors and Throttles are how many there were since the sample before;
	// the sum of a minute is that of its requests. Throttles are among the Errors.
	Requests  = "Requests"
	Errors    = "Errors"
	Throttles = "Throttles"
	// LatencyMean and LatencyP99 are of the requests that were answered since the sample
	// before, in milliseconds; there is none of no requests.
	LatencyMean = "LatencyMean"
	LatencyP99  = "LatencyP99"
	// RequestsInFlight are being worked on.
	RequestsInFlight = "RequestsInFlight"
	// JournalLag is how many records of the journal are in no log file yet, JournalHealthy
	// 0 if the journal cannot be written.
	JournalLag     = "JournalLag"
	JournalHealthy = "JournalHealthy"
	// AlarmsFiring is how many alarms are, each for one thing or for several.
	AlarmsFiring = "AlarmsFiring"
)

// What Prometheus knows these by.
const (
	requestsMetric = "strongroom_requests_total"
	durationMetric = "strongroom_request_duration_seconds"
	throttleMetric = "strongroom_throttled_total"
	inFlightMetric = "strongroom_requests_in_flight"
	lagMetric      = "strongroom_audit_export_lag_records"
	healthyMetric  = "strongroom_audit_journal_healthy"
	firingMetric   = "strongroom_alarm_firing"
	outcomeLabel   = "outcome"
	outcomeOK      = "ok"
)

// Service returns the Source of the service's series, which reads a few of the metrics that
// Prometheus is told. What is not among them is absent. It is asked by one goroutine.
func Service(g prometheus.Gatherer) Source {
	s := &service{gatherer: g}
	return s.values
}

// service remembers what counters said at the sample before.
type service struct {
	gatherer                    prometheus.Gatherer
	requests, errors, throttles float64
	latency                     latency
}

func (s *service) values() []metric.Value {
	all, _ := s.gatherer.Gather() // what could be gathered is there also beside an error
	families := map[string]*dto.MetricFamily{}
	for _, f := range all {
		families[f.GetName()] = f
	}
	values := since(families[requestsMetric], each, Requests, &s.requests)
	values = append(values, since(families[requestsMetric], failed, Errors, &s.errors)...)
	values = append(values, since(families[throttleMetric], each, Throttles, &s.throttles)...)
	values = append(values, s.latencies(families[durationMetric])...)
	for name, known := range map[string]string{RequestsInFlight: inFlightMetric, JournalLag: lagMetric, JournalHealthy: healthyMetric, AlarmsFiring: firingMetric} {
		if f := families[known]; f != nil {
			values = append(values, value(name, "Count", total(f, each)))
		}
	}
	return values
}

func value(name, unit string, v float64) metric.Value {
	return metric.Value{Series: metric.Series{Namespace: metric.Service, Name: name, Unit: unit}, Value: v}
}

func each(*dto.Metric) bool { return true }

func failed(m *dto.Metric) bool {
	for _, l := range m.GetLabel() {
		if l.GetName() == outcomeLabel {
			return l.GetValue() != outcomeOK
		}
	}
	return false
}

// total is the sum of those metrics of a family that are wanted.
func total(f *dto.MetricFamily, wanted func(*dto.Metric) bool) (sum float64) {
	for _, m := range f.GetMetric() {
		if wanted(m) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// since is how far a counter has come since it was asked before.
func since(f *dto.MetricFamily, wanted func(*dto.Metric) bool, name string, before *float64) []metric.Value {
	if f == nil {
		return nil
	}
	now := total(f, wanted)
	grown := now - *before
	*before = now
	return []metric.Value{value(name, "Count", grown)}
}

func (s *service) latencies(f *dto.MetricFamily) []metric.Value {
	now := latencyOf(f)
	grown := now.minus(s.latency)
	s.latency = now
	if grown.count == 0 {
		return nil
	}
	const ms = 1000
	return []metric.Value{
		value(LatencyMean, "Milliseconds", ms*grown.seconds/float64(grown.count)),
		value(LatencyP99, "Milliseconds", ms*grown.quantile(0.99)),
	}
}
