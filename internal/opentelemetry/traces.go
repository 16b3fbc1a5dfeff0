package opentelemetry

import (
	"context"
	"errors"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/strongroom-kms/strongroom/audit/ship/otlp"
)

// Bounds of spans that wait to be sent: beyond, they are dropped.
const (
	waitingSpans = 8192
	spanPatience = 2 * time.Second // for more to send together
)

// Traces sends spans.
type Traces struct {
	sending  sending
	provider *trace.TracerProvider
	release  func() error
}

// NewTraces prepares to send the spans of a share of requests, above 0 and up to 1, of those
// that come without a trace of their client's; the others are as their clients want it. It
// does not connect.
func NewTraces(o Options, share float64) (*Traces, error) {
	o, endpoint, err := o.checked()
	if err != nil {
		return nil, err
	}
	about, err := o.resource()
	if err != nil {
		return nil, err
	}
	client, release, err := newTraceClient(endpoint, o)
	if err != nil {
		return nil, err
	}
	sending := newSending()
	exporter := &spanExporter{sending: sending, SpanExporter: otlptrace.NewUnstarted(client), report: newReport(o, "spans")}
	if err := client.Start(context.Background()); err != nil {
		sending.stop()
		return nil, errors.Join(err, release())
	}
	return &Traces{
		sending: sending,
		provider: trace.NewTracerProvider(
			trace.WithBatcher(exporter, trace.WithMaxQueueSize(waitingSpans), trace.WithBatchTimeout(spanPatience), trace.WithExportTimeout(sendTimeout)),
			trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(share))),
			trace.WithResource(about),
		),
		release: release,
	}, nil
}

func newTraceClient(endpoint *url.URL, o Options) (otlptrace.Client, func() error, error) {
	if o.Protocol == otlp.HTTP {
		c, err := newHTTPClient(o)
		if err != nil {
			return nil, nil, err
		}
		client := otlptracehttp.NewClient(otlptracehttp.WithHTTPClient(c), otlptracehttp.WithEndpointURL(endpoint.JoinPath("v1", "traces").String()),
			otlptracehttp.WithHeaders(map[string]string{}), otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
			otlptracehttp.WithTimeout(sendTimeout), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
		return client, func() error { c.CloseIdleConnections(); return nil }, nil
	}
	c, err := dial(endpoint, o)
	if err != nil {
		return nil, nil, err
	}
	client := otlptracegrpc.NewClient(otlptracegrpc.WithGRPCConn(c), otlptracegrpc.WithHeaders(map[string]string{}),
		otlptracegrpc.WithTimeout(sendTimeout), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{}))
	return client, c.Close, nil
}

// Provider makes the spans.
func (t *Traces) Provider() api.TracerProvider { return t.provider }

// Close sends what is left, for a few seconds at most.
func (t *Traces) Close(ctx context.Context) error {
	t.sending.end(ctx, t.provider.Shutdown)
	return t.release()
}

// spanExporter reports what becomes of spans.
type spanExporter struct {
	trace.SpanExporter
	sending sending
	report  *report
}

// ExportSpans implements trace.SpanExporter.
func (e *spanExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	ctx, done := e.sending.within(ctx)
	defer done()
	return e.report.of(ctx, e.SpanExporter.ExportSpans(ctx, spans))
}
