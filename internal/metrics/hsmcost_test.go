//go:build !race

package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/internal/metrics"
)

// The largest cluster that there may be, whose workers have made calls of as many kinds as those
// of a server that encrypts, signs, makes and destroys keys, and meets a few errors.
const (
	mostHSMs  = 28
	callKinds = 30
)

// counted is an answer of which only the length is kept.
type counted struct {
	header http.Header
	length int
}

// Header is part of http.ResponseWriter.
func (c *counted) Header() http.Header { return c.header }

// WriteHeader is part of http.ResponseWriter.
func (c *counted) WriteHeader(int) {}

// Write is part of http.ResponseWriter.
func (c *counted) Write(p []byte) (int, error) {
	c.length += len(p)
	return len(p), nil
}

// scraper returns what Prometheus does: it asks a server with the most HSMs for all metrics.
func scraper(t testing.TB) func() {
	t.Helper()
	registry, err := metrics.NewRegistry(sources())
	if err != nil {
		t.Fatal(err)
	}
	if err := registry.Register(metrics.NewHSMs(largestCluster)); err != nil {
		t.Fatal(err)
	}
	handler := metrics.NewHandler(registry, func() error { return nil })
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	return func() {
		answer := &counted{header: http.Header{}}
		handler.ServeHTTP(answer, request)
		if answer.length < mostHSMs*callKinds*100 {
			t.Fatalf("a scrape answers %d bytes", answer.length)
		}
	}
}

func largestCluster() []metrics.HSM {
	var calls []hsmpool.CallCount
	for i := range callKinds {
		calls = append(calls, hsmpool.CallCount{
			Function: fmt.Sprintf("C_Function%02d", i/4), Mechanism: fmt.Sprintf("CKM_MECHANISM_%d", i/2%2), RV: uint32(i % 2 * 0x30),
			Count: uint64(i) * 1e9, Took: time.Duration(i) * 1e12,
		})
	}
	all := slices.Repeat([]metrics.HSM{hsm()}, mostHSMs)
	for i := range all {
		all[i].HSMID = fmt.Sprintf("hsm-%011d", i)
		all[i].Figures.Calls = calls
	}
	return all
}

func BenchmarkScrape(b *testing.B) {
	scrape := scraper(b)
	for b.Loop() {
		scrape()
	}
}

// A scrape costs less than 10 ms of CPU, all goroutines and the collection of garbage
// included. The best of some rounds counts: others may need the machine, too.
func TestCostOfAScrape(t *testing.T) {
	const rounds, scrapes, limit = 12, 10, 10 * time.Millisecond
	scrape := scraper(t)
	best := time.Hour
	for range rounds {
		before := cpuTime(t)
		for range scrapes {
			scrape()
		}
		best = min(best, (cpuTime(t)-before)/scrapes)
	}
	t.Logf("a scrape of %d HSMs costs %v of CPU", mostHSMs, best)
	if best > limit {
		t.Errorf("a scrape of %d HSMs costs %v of CPU, more than %v", mostHSMs, best, limit)
	}
}

// cpuTime is what the process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
