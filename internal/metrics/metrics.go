package metrics

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/strongroom-kms/strongroom/audit/ship"
)

// Sources are asked at each scrape, by several goroutines, and answer at once. Any may be
// nil: its metrics are then absent.
type Sources struct {
	// Journal says how the journal of the audit trails is.
	Journal func() Journal
	// Digests are the newest digest of each Region.
	Digests func() []Digest
	// ExportSequence is the newest record that is in the exported files.
	ExportSequence func() uint64
	// Sinks says how far those are who take the trails.
	Sinks func() []ship.Status
	// IndexLag is how many records the index for searches is behind.
	IndexLag func() uint64
}

// Journal is how the journal is.
type Journal struct {
	// ID is the journal's, HeadHash the hash that stands for all it holds; in hexadecimal.
	ID, HeadHash string
	// HeadSequence and FirstSequence are the numbers of the newest durable record and of
	// the oldest that is left.
	HeadSequence, FirstSequence uint64
	// SizeBytes is the size of its files.
	SizeBytes int64
	// Healthy says that it can be written.
	Healthy bool
}

// Digest is a signed digest.
type Digest struct {
	// Region is whose trail it is of.
	Region string
	// End is up to when it covers the trail, LastSequence up to which record.
	End          time.Time
	LastSequence uint64
}

// NewRegistry returns a registry with the metrics of the process and of the audit trails.
// Others are added by their owners.
func NewRegistry(s Sources) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	err := register(registry, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newAudit(s))
	if err != nil {
		return nil, err
	}
	return registry, nil
}

func register(to prometheus.Registerer, all ...prometheus.Collector) error {
	for _, c := range all {
		if err := to.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// NewHandler returns a handler that answers /metrics in Prometheus's formats; /healthz
// with 200 while the process is alive; and /readyz with 200 if ready returns nil, else
// with 503 and without the reason, which is in the server's log. To compress an answer would
// be a quarter of its CPU.
func NewHandler(g prometheus.Gatherer, ready func() error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", newScrapes(promhttp.HandlerFor(g, promhttp.HandlerOpts{DisableCompression: true})))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ready() != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}
