package opentelemetry

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/strongroom-kms/strongroom/audit/ship/otlp"
)

// Metrics sends the metrics of a registry again and again.
type Metrics struct {
	sending  sending
	provider *metric.MeterProvider
	release  func() error
}

// NewMetrics begins to send what g gathers, each period. It does not wait for the collector.
func NewMetrics(o Options, g prometheus.Gatherer, period time.Duration) (*Metrics, error) {
	o, endpoint, err := o.checked()
	if err != nil {
		return nil, err
	}
	about, err := o.resource()
	if err != nil {
		return nil, err
	}
	exporter, release, err := newMetricExporter(endpoint, o)
	if err != nil {
		return nil, err
	}
	source := bridge.NewMetricProducer(bridge.WithGatherer(&gatherer{Gatherer: g, report: newReport(o, "some metrics")}))
	sending := newSending()
	reader := metric.NewPeriodicReader(&metricExporter{sending: sending, Exporter: exporter, report: newReport(o, "metrics")},
		metric.WithInterval(period), metric.WithTimeout(sendTimeout), metric.WithProducer(source))
	return &Metrics{sending: sending, provider: metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(about)), release: release}, nil
}

func newMetricExporter(endpoint *url.URL, o Options) (metric.Exporter, func() error, error) {
	if o.Protocol == otlp.HTTP {
		c, err := newHTTPClient(o)
		if err != nil {
			return nil, nil, err
		}
		exporter, err := otlpmetrichttp.New(context.Background(), otlpmetrichttp.WithHTTPClient(c), otlpmetrichttp.WithEndpointURL(endpoint.JoinPath("v1", "metrics").String()),
			otlpmetrichttp.WithHeaders(map[string]string{}), otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression),
			otlpmetrichttp.WithTimeout(sendTimeout), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{}))
		return exporter, func() error { c.CloseIdleConnections(); return nil }, err
	}
	c, err := dial(endpoint, o)
	if err != nil {
		return nil, nil, err
	}
	exporter, err := otlpmetricgrpc.New(context.Background(), otlpmetricgrpc.WithGRPCConn(c), otlpmetricgrpc.WithHeaders(map[string]string{}),
		otlpmetricgrpc.WithTimeout(sendTimeout), otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{}))
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	return exporter, c.Close, nil
}

// Close sends the metrics once more, for a few seconds at most.
func (m *Metrics) Close(ctx context.Context) error {
	m.sending.end(ctx, m.provider.Shutdown)
	return m.release()
}

// metricExporter reports what becomes of metrics.
type metricExporter struct {
	metric.Exporter
	sending sending
	report  *report
}

// Export implements metric.Exporter.
func (e *metricExporter) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	ctx, done := e.sending.within(ctx)
	defer done()
	return e.report.of(ctx, e.Exporter.Export(ctx, m))
}

// gatherer reports metrics that cannot be gathered; the others are sent.
type gatherer struct {
	prometheus.Gatherer
	report *report
}

// Gather implements prometheus.Gatherer.
func (g *gatherer) Gather() ([]*dto.MetricFamily, error) {
	families, err := g.Gatherer.Gather()
	return families, g.report.of(context.Background(), err)
}
