package integration

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// otlpCollector is a collector of all that OpenTelemetry has.
type otlpCollector struct {
	address string

	mu       sync.Mutex
	spans    []*tracev1.Span
	metrics  map[string]bool // the names of those that came
	payloads strings.Builder // of all requests, in protobuf
	changed  chan struct{}
}

func startOTLPCollector(t *testing.T) *otlpCollector {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &otlpCollector{address: l.Addr().String(), metrics: map[string]bool{}, changed: make(chan struct{})}
	server := grpc.NewServer(grpc.UnaryInterceptor(c.keep))
	logs.RegisterLogsServiceServer(server, anyLogs{})
	metrics.RegisterMetricsServiceServer(server, anyMetrics{})
	traces.RegisterTraceServiceServer(server, anyTraces{})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return c
}

// keep keeps what comes.
func (c *otlpCollector) keep(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	payload, err := proto.Marshal(request.(proto.Message))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.payloads.Write(payload)
	switch r := request.(type) {
	case *traces.ExportTraceServiceRequest:
		for _, of := range r.GetResourceSpans() {
			for _, scope := range of.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
	case *metrics.ExportMetricsServiceRequest:
		for _, of := range r.GetResourceMetrics() {
			for _, scope := range of.GetScopeMetrics() {
				for _, m := range scope.GetMetrics() {
					c.metrics[m.GetName()] = true
				}
			}
		}
	}
	close(c.changed)
	c.changed = make(chan struct{})
	return next(ctx, request)
}

// await waits until what was received is enough.
func (c *otlpCollector) await(ctx context.Context, what string, enough func() bool) error {
	for {
		c.mu.Lock()
		done, changed := enough(), c.changed
		c.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
	}
}

// received is all that came.
func (c *otlpCollector) received() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.payloads.String()
}

type anyLogs struct {
	logs.UnimplementedLogsServiceServer
}

// Export implements the collector's service.
func (anyLogs) Export(context.Context, *logs.ExportLogsServiceRequest) (*logs.ExportLogsServiceResponse, error) {
	return new(logs.ExportLogsServiceResponse), nil
}

type anyMetrics struct {
	metrics.UnimplementedMetricsServiceServer
}

// Export implements the collector's service.
func (anyMetrics) Export(context.Context, *metrics.ExportMetricsServiceRequest) (*metrics.ExportMetricsServiceResponse, error) {
	return new(metrics.ExportMetricsServiceResponse), nil
}

type anyTraces struct {
	traces.UnimplementedTraceServiceServer
}

// Export implements the collector's service.
func (anyTraces) Export(context.Context, *traces.ExportTraceServiceRequest) (*traces.ExportTraceServiceResponse, error) {
	return new(traces.ExportTraceServiceResponse), nil
}
