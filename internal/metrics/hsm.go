package metrics

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/internal/metrics/cloudhsm"
)

// HSM is an HSM, as metrics tell of it.
type HSM struct {
	cloudhsm.HSM
	// KeysLimit is how many keys its cluster can have; 0: nobody knows.
	KeysLimit int
	// TelemetryErrors counts what its operator's source told wrong, or did not tell; nil: it
	// has no source.
	TelemetryErrors *uint64
}

// hsms collects the metrics of HSMs.
type hsms struct {
	source func() []HSM

	ten                  map[string]*prometheus.Desc // by the names of CloudHSM
	members              []memberMetric
	state, pinState      *prometheus.Desc
	sessionsLimit        *prometheus.Desc
	keysLimit, telemetry *prometheus.Desc
	calls, callDuration  *prometheus.Desc
}

// memberMetric is a metric that each HSM has.
type memberMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(HSM) float64
}

// NewHSMs returns a collector of the metrics of HSMs: the ten of CloudHSM, and what their
// pools know of them. The source is asked at each scrape, by several goroutines, and answers
// at once, with no two HSMs of the same id and cluster.
func NewHSMs(source func() []HSM) prometheus.Collector {
	h := &hsms{
		source:        source,
		ten:           map[string]*prometheus.Desc{},
		state:         describeHSM("state", "1 of the state that the HSM is in, 0 of the others.", "state"),
		pinState:      describeHSM("pin_state", "1 of what the token says of its user PIN.", "state"),
		sessionsLimit: describeHSM("sessions_limit", "Sessions that the token allows."),
		keysLimit:     describeHSM("keys_limit", "Keys that the HSM's cluster can have, as the configuration says."),
		telemetry:     describeHSM("telemetry_errors_total", "Values of the operator's source that were missing or refused."),
		calls:         describeHSM("calls_total", "Calls of the PKCS#11 library, and what they returned.", "function", "mechanism", "rv"),
		callDuration:  describeHSM("call_duration_seconds_total", "Time that calls of the PKCS#11 library took, together.", "function", "mechanism"),
	}
	for _, m := range cloudhsm.Metrics() {
		help := m.Help + " CloudHSM's " + m.Name + "."
		h.ten[m.Name] = prometheus.NewDesc(m.Prometheus, help, []string{"hsm_id", "cluster_id", "region", "source"}, nil)
	}
	h.members = memberMetrics()
	return h
}

func describeHSM(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("strongroom_hsm_"+name, help, append([]string{"hsm_id", "cluster_id", "store"}, labels...), nil)
}

func memberMetrics() []memberMetric {
	gauge := func(name, help string, value func(HSM) float64) memberMetric {
		return memberMetric{describeHSM(name, help), prometheus.GaugeValue, value}
	}
	return []memberMetric{
		gauge("sessions", "Sessions that the HSM's worker holds.", func(h HSM) float64 { return float64(h.Sessions) }),
		gauge("in_flight", "Requests that wait for the HSM's answer.", func(h HSM) float64 { return float64(h.InFlight) }),
		gauge("waiting", "Requests that wait for a place at any of the HSMs of the same store.", func(h HSM) float64 { return float64(h.Waiting) }),
		gauge("places", "Requests that use keys that the HSM is given at the same time.", func(h HSM) float64 { return float64(h.Places) }),
		gauge("breaker_open", "1 while the HSM is only probed, because it keeps failing.", func(h HSM) float64 { return number(h.BreakerOpen) }),
		gauge("withdrawn", "1 while the HSM is out of service for a reason such as its temperature.", func(h HSM) float64 { return number(h.Withdrawn != "") }),
		{describeHSM("restarts_total", "Starts of the HSM's worker beside the first."), prometheus.CounterValue, func(h HSM) float64 { return float64(h.Restarts) }},
	}
}

// Describe implements prometheus.Collector.
func (c *hsms) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range c.ten {
		descs <- d
	}
	for _, m := range c.members {
		descs <- m.desc
	}
	for _, d := range []*prometheus.Desc{c.state, c.pinState, c.sessionsLimit, c.keysLimit, c.telemetry, c.calls, c.callDuration} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c *hsms) Collect(metrics chan<- prometheus.Metric) {
	to := newLabelled(metrics)
	for _, h := range c.source() {
		c.collectTen(h, to)
		c.collectMember(h, to)
		c.collectCalls(h, to)
	}
}

func (c *hsms) collectTen(h HSM, to *labelled) {
	for _, r := range h.Readings {
		kind := prometheus.GaugeValue
		if r.Metric.Counter {
			kind = prometheus.CounterValue
		}
		to.add(c.ten[r.Metric.Name], kind, r.Value, to.labels("cluster_id", h.ClusterID, "hsm_id", h.HSMID, "region", h.Region, "source", string(r.Source)))
	}
}

func (c *hsms) collectMember(h HSM, to *labelled) {
	labels := to.labels("cluster_id", h.ClusterID, "hsm_id", h.HSMID, "store", h.Store)
	for _, m := range c.members {
		to.add(m.desc, m.kind, m.value(h), labels)
	}
	for s := hsmpool.Starting; s.String() != "invalid"; s++ {
		to.add(c.state, prometheus.GaugeValue, number(h.State == s),
			to.labels("cluster_id", h.ClusterID, "hsm_id", h.HSMID, "state", s.String(), "store", h.Store))
	}
	to.add(c.pinState, prometheus.GaugeValue, 1,
		to.labels("cluster_id", h.ClusterID, "hsm_id", h.HSMID, "state", strings.ReplaceAll(h.PIN.String(), " ", "_"), "store", h.Store))
	if n := h.Figures.MaxSessions; n > 0 {
		to.add(c.sessionsLimit, prometheus.GaugeValue, float64(n), labels)
	}
	if h.KeysLimit > 0 {
		to.add(c.keysLimit, prometheus.GaugeValue, float64(h.KeysLimit), labels)
	}
	if h.TelemetryErrors != nil {
		to.add(c.telemetry, prometheus.CounterValue, float64(*h.TelemetryErrors), labels)
	}
}

// collectCalls tells of C_ functions. Calls come in the order of function and mechanism; the
// time that they took is told of all return codes together.
func (c *hsms) collectCalls(h HSM, to *labelled) {
	calls := h.Figures.Calls
	for i, took := 0, time.Duration(0); i < len(calls); i++ {
		call := calls[i]
		to.add(c.calls, prometheus.CounterValue, float64(call.Count), to.labels("cluster_id", h.ClusterID, "function", call.Function,
			"hsm_id", h.HSMID, "mechanism", call.Mechanism, "rv", ckr.RV(call.RV).String(), "store", h.Store))
		took += call.Took
		if i+1 < len(calls) && calls[i+1].Function == call.Function && calls[i+1].Mechanism == call.Mechanism {
			continue
		}
		to.add(c.callDuration, prometheus.CounterValue, took.Seconds(), to.labels("cluster_id", h.ClusterID, "function", call.Function,
			"hsm_id", h.HSMID, "mechanism", call.Mechanism, "store", h.Store))
		took = 0
	}
}
