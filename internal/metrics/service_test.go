package metrics_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/strongroom-kms/strongroom/internal/metrics"
	"github.com/strongroom-kms/strongroom/keystore"
)

func newRequests(t testing.TB) (*metrics.Requests, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	r := metrics.NewRequests()
	registry.MustRegister(r)
	return r, registry
}

// textOf returns what a scrape of a registry says.
func textOf(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	var text strings.Builder
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if err := write(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	return text.String()
}

func expectLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

// answered is a request that took its time.
func answered() keystore.Answered {
	return keystore.Answered{
		Operation: "Encrypt", FrontEnd: keystore.FrontEndGRPC, Region: "us-east-1",
		Total: 8 * time.Millisecond, Queue: time.Millisecond / 2, HSM: 2 * time.Millisecond, Journal: 4 * time.Millisecond,
	}
}

func TestRequestsAreCountedAndTimed(t *testing.T) {
	r, registry := newRequests(t)
	for range 3 {
		r.Answered(answered())
	}
	r.Answered(keystore.Answered{Operation: "Encrypt", FrontEnd: keystore.FrontEndAWS, Error: "DisabledException", Total: time.Millisecond, Journal: time.Millisecond})
	r.Answered(keystore.Answered{Operation: "Sign", FrontEnd: keystore.FrontEndAWS, Store: "cks-1", Error: "ThrottlingException", Total: time.Millisecond})
	r.Answered(keystore.Answered{Operation: "Sign", FrontEnd: keystore.FrontEndConsole, Error: "ThrottlingException"})
	r.Answered(keystore.Answered{Error: "UnknownOperationException"})
	expectLines(t, textOf(t, registry),
		`strongroom_requests_total{front_end="grpc",operation="Encrypt",outcome="ok"} 3`,
		`strongroom_requests_total{front_end="aws",operation="Encrypt",outcome="DisabledException"} 1`,
		`strongroom_requests_total{front_end="console",operation="Sign",outcome="ThrottlingException"} 1`,
		`strongroom_requests_total{front_end="other",operation="other",outcome="UnknownOperationException"} 1`,
		`strongroom_throttled_total{store="cks-1"} 1`,
		`strongroom_throttled_total{store="default"} 1`,
		`strongroom_request_duration_seconds_bucket{operation="Encrypt",le="0.005"} 1`,
		`strongroom_request_duration_seconds_bucket{operation="Encrypt",le="0.01"} 4`,
		`strongroom_request_queue_seconds_bucket{le="0.0005"} 3`,
		`strongroom_request_hsm_seconds_bucket{le="0.001"} 0`,
		`strongroom_request_hsm_seconds_sum 0.006`,
		`strongroom_request_journal_seconds_count 4`,
	)
}

// However many names there are, there are so many series and no more, and nothing is lost.
func TestTheSeriesOfRequestsAreBounded(t *testing.T) {
	r, registry := newRequests(t)
	const requests = 10_000
	for i := range requests {
		a := answered()
		a.Operation, a.Store, a.Error = fmt.Sprint("Operation", i), fmt.Sprint("cks-", i), "ThrottlingException"
		r.Answered(a)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		var sum float64
		limit := map[string]int{"strongroom_requests_total": 2049, "strongroom_throttled_total": 65}[f.GetName()]
		if limit == 0 {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue()
		}
		if n := len(f.GetMetric()); n > limit || n < limit-1 || sum != requests {
			t.Errorf("%s: %d series of %v requests, want %d", f.GetName(), n, sum, limit)
		}
	}
}

// Whoever makes as many errors of as many operations as there are series hides no outcome from the
// alarms: neither a fault of the service, nor that a request is answered well.
func TestCallersHideNoOutcome(t *testing.T) {
	r, registry := newRequests(t)
	for i := range 3000 {
		r.Answered(keystore.Answered{Operation: fmt.Sprint("Operation", i%100), FrontEnd: keystore.FrontEndAWS, Error: fmt.Sprint("Error", i/100)})
	}
	for range 2 {
		r.Answered(keystore.Answered{Operation: "Sign", FrontEnd: keystore.FrontEndAWS, Error: "KMSInternalException"})
		r.Answered(keystore.Answered{Operation: "Verify", FrontEnd: keystore.FrontEndGRPC})
	}
	for outcome, want := range map[string]float64{"KMSInternalException": 2, "ok": 2} {
		if n := ofOutcome(t, registry, outcome); n != want {
			t.Errorf("%v requests are counted as %s, want %v", n, outcome, want)
		}
	}
}

// ofOutcome is how many requests are counted as of an outcome.
func ofOutcome(t *testing.T, g prometheus.Gatherer, outcome string) (n float64) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "outcome" && l.GetValue() == outcome {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// Many at once see the same series.
func TestRequestsAreCountedByManyGoroutines(t *testing.T) {
	r, registry := newRequests(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 1000 {
				a := answered()
				a.Operation = fmt.Sprint("Operation", (n+i)%50)
				r.Answered(a)
			}
		})
	}
	all.Wait()
	text := textOf(t, registry)
	if n := strings.Count(text, "\nstrongroom_requests_total{"); n != 50 {
		t.Errorf("%d series of requests, want 50", n)
	}
	expectLines(t, text, `strongroom_requests_total{front_end="grpc",operation="Operation7",outcome="ok"} 160`, "strongroom_request_hsm_seconds_count 8000")
}

func TestCountingARequestAllocatesNothing(t *testing.T) {
	r, _ := newRequests(t)
	throttled := answered()
	throttled.Error, throttled.Store = "ThrottlingException", "cks-1"
	if n := testing.AllocsPerRun(1000, func() { r.Answered(answered()); r.Answered(throttled) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkAnswered is what metrics cost a request.
func BenchmarkAnswered(b *testing.B) {
	r, _ := newRequests(b)
	b.ReportAllocs()
	for b.Loop() {
		r.Answered(answered())
	}
}

func write(to *strings.Builder, f *dto.MetricFamily) error {
	_, err := expfmt.MetricFamilyToText(to, f)
	return err
}
