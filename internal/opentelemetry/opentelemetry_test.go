package opentelemetry_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/audit/ship/otlp"
	"github.com/strongroom-kms/strongroom/internal/opentelemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// options are those for a receiver, with a password of its in the headers.
func options(t *testing.T, r *receiver, protocol string) opentelemetry.Options {
	t.Helper()
	headers := filepath.Join(t.TempDir(), "headers")
	must(t, os.WriteFile(headers, []byte("Authorization: Bearer first\n"), 0o600))
	return opentelemetry.Options{Endpoint: "http://" + r.address(protocol), Protocol: protocol, HeadersFile: headers, Instance: "journal-1", Version: "1.2.3"}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// Spans and metrics reach a collector by both protocols, with the headers as the file has
// them at the moment, and say whose they are.
func TestSpansAndMetricsReachACollector(t *testing.T) {
	for _, protocol := range []string{otlp.GRPC, otlp.HTTP} {
		t.Run(protocol, func(t *testing.T) {
			r := startReceiver(t)
			o := options(t, r, protocol)
			traces, err := opentelemetry.NewTraces(o, 1)
			must(t, err)
			_, span := traces.Provider().Tracer("test").Start(t.Context(), "Encrypt")
			span.End()
			must(t, traces.Close(within(t)))
			must(t, os.WriteFile(o.HeadersFile, []byte("Authorization: Bearer second\n"), 0o600))

			registry := prometheus.NewRegistry()
			counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "strongroom_things_total", Help: "Things."})
			registry.MustRegister(counter)
			counter.Add(7)
			metrics, err := opentelemetry.NewMetrics(o, registry, time.Hour)
			must(t, err)
			must(t, metrics.Close(within(t))) // sends what there is

			seen := r.seen()
			if !slices.Equal(seen.spans, []string{"Encrypt"}) || seen.counters["strongroom_things_total"] != 7 {
				t.Errorf("received %+v", seen)
			}
			if want := []string{"Bearer first", "Bearer second"}; !slices.Equal(seen.authorizations, want) {
				t.Errorf("authorized by %q, want %q", seen.authorizations, want)
			}
			for _, name := range seen.instances {
				if name != "strongroom journal-1 1.2.3" {
					t.Errorf("sent by %q", name)
				}
			}
		})
	}
}

// Metrics are sent each period.
func TestMetricsAreSentEachPeriod(t *testing.T) {
	r := startReceiver(t)
	metrics, err := opentelemetry.NewMetrics(options(t, r, otlp.GRPC), prometheus.NewRegistry(), 10*time.Millisecond)
	must(t, err)
	for range 3 {
		must(t, r.await(within(t)))
	}
	must(t, metrics.Close(within(t)))
}

// A client that has a trace decides whether its request is in it; of the others a share is
// traced.
func TestWhichRequestsAreTraced(t *testing.T) {
	r := startReceiver(t)
	traces, err := opentelemetry.NewTraces(options(t, r, otlp.GRPC), 0.25)
	must(t, err)
	tracer := traces.Provider().Tracer("test")
	sampled := 0
	for range 2000 {
		_, span := tracer.Start(t.Context(), "of nobody's trace")
		if span.IsRecording() {
			sampled++
		}
	}
	if sampled < 400 || sampled > 600 {
		t.Errorf("%d of 2000 are traced, want about 500", sampled)
	}
	for _, flags := range []trace.TraceFlags{0, trace.FlagsSampled} {
		remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: flags, Remote: true})
		_, span := tracer.Start(trace.ContextWithRemoteSpanContext(t.Context(), remote), "of a client's trace")
		if span.IsRecording() != flags.IsSampled() || span.SpanContext().TraceID() != remote.TraceID() {
			t.Errorf("with the flags %v the span is recorded: %t", flags, span.IsRecording())
		}
	}
	must(t, traces.Close(within(t)))
}

// While a collector hangs nobody waits for it, and a close is as short as it may be.
func TestACollectorThatHangsKeepsNobodyWaiting(t *testing.T) {
	for _, protocol := range []string{otlp.GRPC, otlp.HTTP} {
		t.Run(protocol, func(t *testing.T) {
			r := startReceiver(t)
			r.hold()
			traces, err := opentelemetry.NewTraces(options(t, r, protocol), 1)
			must(t, err)
			tracer := traces.Provider().Tracer("test")
			for range 10_000 { // more than may wait
				_, span := tracer.Start(t.Context(), "Encrypt")
				span.End()
			}
			must(t, r.await(within(t))) // it has the first ones, and does not answer
			metrics, err := opentelemetry.NewMetrics(options(t, r, protocol), prometheus.NewRegistry(), time.Hour)
			must(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			must(t, traces.Close(ctx))
			must(t, metrics.Close(ctx))
		})
	}
}

// The log says once that the collector is away, and nothing of the headers.
func TestACollectorThatIsAwayIsLoggedOnce(t *testing.T) {
	for _, protocol := range []string{otlp.GRPC, otlp.HTTP} {
		t.Run(protocol, func(t *testing.T) {
			r := startReceiver(t)
			o, log := options(t, r, protocol), new(lockedBuffer)
			o.Logger = hclog.New(&hclog.LoggerOptions{Output: log})
			r.stop()
			traces, err := opentelemetry.NewTraces(o, 1)
			must(t, err)
			for range 2000 { // several requests of 512
				_, span := traces.Provider().Tracer("test").Start(t.Context(), "Encrypt")
				span.End()
			}
			must(t, traces.Close(within(t)))
			metrics, err := opentelemetry.NewMetrics(o, prometheus.NewRegistry(), time.Hour)
			must(t, err)
			must(t, metrics.Close(within(t)))
			for _, line := range []string{"spans cannot be sent", "metrics cannot be sent"} {
				if n := strings.Count(log.String(), "[WARN]  "+line); n != 1 {
					t.Errorf("the log says %d times that %s:\n%s", n, line, log)
				}
			}
			if strings.Contains(log.String(), "Bearer") {
				t.Errorf("the log has the password:\n%s", log)
			}
		})
	}
}

// A collector that refuses is quoted in the log, in short and without the password that it quotes.
func TestWhatACollectorComplainsOf(t *testing.T) {
	for _, protocol := range []string{otlp.GRPC, otlp.HTTP} {
		t.Run(protocol, func(t *testing.T) {
			r := startReceiver(t)
			r.refuses = true
			o, log := options(t, r, protocol), new(lockedBuffer)
			o.Logger = hclog.New(&hclog.LoggerOptions{Output: log})
			traces, err := opentelemetry.NewTraces(o, 1)
			must(t, err)
			_, span := traces.Provider().Tracer("test").Start(t.Context(), "Encrypt")
			span.End()
			must(t, traces.Close(within(t)))
			metrics, err := opentelemetry.NewMetrics(o, prometheus.NewRegistry(), time.Hour)
			must(t, err)
			must(t, metrics.Close(within(t)))
			if n := strings.Count(log.String(), "may not: *** and so on"); n != 2 || strings.Contains(log.String(), "first") || len(log.String()) > 2500 {
				t.Errorf("%d lines quote the collector, in %d bytes: %.1000s", n, len(log.String()), log)
			}
		})
	}
}

// lockedBuffer takes a log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all that was written.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestBadOptions(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*opentelemetry.Options)
		want   string
	}{
		"endpoint": {func(o *opentelemetry.Options) { o.Endpoint = "http://collector.example" }, "loopback"},
		"protocol": {func(o *opentelemetry.Options) { o.Protocol = "json" }, `OTLP protocol "json"`},
		"headers":  {func(o *opentelemetry.Options) { o.HeadersFile = "/nowhere/headers" }, "reading the headers"},
		"CA":       {func(o *opentelemetry.Options) { o.CA = "/nowhere/ca.pem" }, "/nowhere/ca.pem"},
	} {
		o := opentelemetry.Options{Endpoint: "https://127.0.0.1:4317", Protocol: otlp.GRPC}
		test.change(&o)
		_, ofTraces := opentelemetry.NewTraces(o, 1)
		_, ofMetrics := opentelemetry.NewMetrics(o, prometheus.NewRegistry(), time.Hour)
		for _, err := range []error{ofTraces, ofMetrics} {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %s", name, err, test.want)
			}
		}
	}
}
