package metrics

import (
	"cmp"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/keystore"
)

// What stands in labels for what has no name there, or for too many.
const (
	other        = "other"
	defaultStore = "default"
	ok           = "ok"
)

// Bounds of what the labels of requests can be. Operations and errors are those of the
// API, and stores those of the metadata; but stores come and go, and callers can make most errors
// of most operations, by each front end: beyond, only the outcomes are told apart.
const (
	maxRequestSeries = 2048
	maxOperations    = 512
	maxStores        = 64
)

// throttling is the error of requests that are too many.
const throttling = "ThrottlingException"

// Requests counts and times requests. It is a keystore.Observer: what it is told allocates
// nothing, and waits for nobody.
type Requests struct {
	byOutcome   cache[outcome, series]
	byOperation cache[string, *durations]
	throttled   cache[string, *atomic.Uint64] // by store

	queue, hsm, journal durations

	descs requestDescs
}

var (
	_ keystore.Observer    = (*Requests)(nil)
	_ prometheus.Collector = (*Requests)(nil)
)

// outcome is what requests are told apart by.
type outcome struct{ operation, frontEnd, outcome string }

// series are where requests of an outcome are counted.
type series struct {
	count    *atomic.Uint64
	duration *durations // of all outcomes of the operation
}

type requestDescs struct{ total, duration, queue, hsm, journal, throttled *prometheus.Desc }

// NewRequests returns the metrics of requests.
func NewRequests() *Requests {
	part := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("strongroom_request_"+name+"_seconds", help, labels, nil)
	}
	r := &Requests{descs: requestDescs{
		total: prometheus.NewDesc("strongroom_requests_total",
			`Requests answered, by operation, by front end ("grpc", "aws", "console") and by outcome: "ok", or the error's name.`,
			[]string{"operation", "front_end", "outcome"}, nil),
		duration: part("duration", "Time from a request's arrival at the key store to its answer, by operation.", "operation"),
		queue:    part("queue", "Time for which a request that asked an HSM waited for a place there."),
		hsm:      part("hsm", "Time for which a request that asked an HSM waited for its answers."),
		journal:  part("journal", "Time for which a request waited for its records to be durable."),
		throttled: prometheus.NewDesc("strongroom_throttled_total",
			`Requests refused because there were too many, by the custom key store; "default" is what is about none.`, []string{"store"}, nil),
	}}
	count := func(string) *atomic.Uint64 { return new(atomic.Uint64) }
	others := func(string) string { return other }
	r.throttled.limit, r.throttled.rest, r.throttled.make = maxStores, others, count
	r.byOperation.limit, r.byOperation.rest, r.byOperation.make = maxOperations, others, func(string) *durations { return new(durations) }
	r.byOutcome.limit, r.byOutcome.rest = maxRequestSeries, func(o outcome) outcome { return outcome{other, other, o.outcome} } // alarms go by it
	r.byOutcome.make = func(o outcome) series { return series{new(atomic.Uint64), r.byOperation.of(o.operation)} }
	r.throttled.of(defaultStore) // a rate can be told from the first one on
	return r
}

// Answered implements keystore.Observer.
func (r *Requests) Answered(a keystore.Answered) {
	s := r.byOutcome.of(outcome{cmp.Or(a.Operation, other), cmp.Or(a.FrontEnd, other), cmp.Or(a.Error, ok)})
	s.count.Add(1)
	s.duration.add(a.Total)
	if a.Error == throttling {
		r.throttled.of(cmp.Or(a.Store, defaultStore)).Add(1)
	}
	if a.HSM > 0 || a.Queue > 0 {
		r.queue.add(a.Queue)
		r.hsm.add(a.HSM)
	}
	if a.Journal > 0 {
		r.journal.add(a.Journal)
	}
}

// Describe implements prometheus.Collector.
func (r *Requests) Describe(descs chan<- *prometheus.Desc) {
	d := r.descs
	for _, desc := range []*prometheus.Desc{d.total, d.duration, d.queue, d.hsm, d.journal, d.throttled} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (r *Requests) Collect(metrics chan<- prometheus.Metric) {
	for o, s := range r.byOutcome.all() {
		metrics <- prometheus.MustNewConstMetric(r.descs.total, prometheus.CounterValue, float64(s.count.Load()), o.operation, o.frontEnd, o.outcome)
	}
	for operation, d := range r.byOperation.all() {
		metrics <- d.metric(r.descs.duration, operation)
	}
	for store, n := range r.throttled.all() {
		metrics <- prometheus.MustNewConstMetric(r.descs.throttled, prometheus.CounterValue, float64(n.Load()), store)
	}
	metrics <- r.queue.metric(r.descs.queue)
	metrics <- r.hsm.metric(r.descs.hsm)
	metrics <- r.journal.metric(r.descs.journal)
}
