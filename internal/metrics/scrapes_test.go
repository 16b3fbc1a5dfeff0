package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/internal/metrics"
)

// stuck is a client that does not read what it is answered.
type stuck struct {
	*httptest.ResponseRecorder

	begun, end chan struct{}
}

// Write is part of http.ResponseWriter.
func (s stuck) Write(p []byte) (int, error) {
	s.begun <- struct{}{}
	<-s.end
	return len(p), nil
}

// counter counts how often it was collected.
type counter struct {
	prometheus.Gauge

	collected atomic.Int64
}

// Collect is part of prometheus.Collector.
func (c *counter) Collect(to chan<- prometheus.Metric) {
	c.Set(float64(c.collected.Add(1)))
	c.Gauge.Collect(to)
}

// newCounter returns one, and a handler of its registry.
func newCounter(t *testing.T) (*counter, http.Handler) {
	t.Helper()
	registry, c := prometheus.NewRegistry(), &counter{Gauge: prometheus.NewGauge(prometheus.GaugeOpts{Name: "scrapes"})}
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	return c, metrics.NewHandler(registry, func() error { return nil })
}

func scrape(t *testing.T, h http.Handler, w http.ResponseWriter) {
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
}

// Anybody can ask for metrics. Who then does not read them keeps Prometheus from nothing.
func TestSlowClientsKeepNobodyFromTheMetrics(t *testing.T) {
	_, handler := newCounter(t)
	var clients sync.WaitGroup
	defer clients.Wait()
	begun, end := make(chan struct{}), make(chan struct{})
	defer close(end)
	for range 20 {
		clients.Go(func() { scrape(t, handler, stuck{httptest.NewRecorder(), begun, end}) })
	}
	for range 20 {
		<-begun
	}
	w := httptest.NewRecorder()
	if scrape(t, handler, w); w.Code != http.StatusOK || parse(t, w.Body.String())["scrapes"] == nil {
		t.Errorf("beside slow clients a scrape is answered %d %s", w.Code, w.Body)
	}
}

// Many who ask at once share scrapes, which began when they had asked.
func TestScrapesAreShared(t *testing.T) {
	c, handler := newCounter(t)
	var clients sync.WaitGroup
	for range 200 {
		clients.Go(func() {
			before, w := c.collected.Load(), httptest.NewRecorder()
			scrape(t, handler, w)
			if got := parse(t, w.Body.String())["scrapes"].GetMetric()[0].GetGauge().GetValue(); int64(got) <= before {
				t.Errorf("who has asked after scrape %d gets scrape %v", before, got)
			}
		})
	}
	clients.Wait()
	if n := c.collected.Load(); n > 50 {
		t.Errorf("there were %d scrapes for 200 clients", n)
	}
}
