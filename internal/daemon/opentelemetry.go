package daemon

import (
	"context"
	"fmt"

	"github.com/strongroom-kms/strongroom/internal/opentelemetry"
)

// collectorOptions says how the collector of metrics and traces is reached.
func (d *daemon) collectorOptions() opentelemetry.Options {
	c := d.config.OpenTelemetry
	return opentelemetry.Options{
		Endpoint: c.Endpoint, Protocol: c.Protocol, CA: c.CA, HeadersFile: c.HeadersFile,
		Instance: d.journal.String(), Version: version(), Logger: d.logger.Named("opentelemetry"),
	}
}

// openTraces prepares to send traces to the collector, which need not be there.
func (d *daemon) openTraces(context.Context) error {
	c := d.config.OpenTelemetry
	if c.Endpoint == "" || c.Traces == 0 {
		return nil
	}
	traces, err := opentelemetry.NewTraces(d.collectorOptions(), c.Traces)
	if err != nil {
		return fmt.Errorf("opentelemetry: %w", err)
	}
	d.tracing = traces.Provider()
	d.parts.add("sending of traces", traces.Close)
	return nil
}

// pushMetrics begins to send the metrics to the collector, of parts that are all open.
func (d *daemon) pushMetrics(context.Context) error {
	c := d.config.OpenTelemetry
	if c.Endpoint == "" || c.MetricsPeriod == 0 {
		return nil
	}
	metrics, err := opentelemetry.NewMetrics(d.collectorOptions(), d.registry, c.MetricsPeriod)
	if err != nil {
		return fmt.Errorf("opentelemetry: %w", err)
	}
	d.parts.add("sending of metrics", metrics.Close)
	return nil
}
