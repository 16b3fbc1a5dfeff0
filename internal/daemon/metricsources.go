package daemon

import (
	"context"
	"fmt"
	"net"

	"github.com/strongroom-kms/strongroom/audit/ship"
	"github.com/strongroom-kms/strongroom/internal/metrics"
)

// listenMetrics takes the address for Prometheus, if there is to be one.
func (d *daemon) listenMetrics(ctx context.Context) (err error) {
	if d.config.Metrics.Listen == "" {
		return nil
	}
	if d.metrics, err = new(net.ListenConfig).Listen(ctx, "tcp", d.config.Metrics.Listen); err != nil {
		return fmt.Errorf("listening for metrics: %w", err)
	}
	d.parts.add("listener for metrics", closing(d.metrics))
	return nil
}

// openRegistry makes the registry of metrics, to which others add theirs. It is not read
// before all parts are open.
func (d *daemon) openRegistry(context.Context) (err error) {
	d.registry, err = metrics.NewRegistry(metrics.Sources{
		Journal: d.journalMetrics, Digests: d.digestMetrics, Sinks: d.sinkStatuses, IndexLag: d.trail.IndexLag,
		ExportSequence: func() uint64 { return d.export.Load().Status().Exported },
	})
	if err != nil {
		return err
	}
	d.requests = metrics.NewRequests()
	return d.registry.Register(d.requests)
}

// answerMetrics answers Prometheus until ctx ends.
func (d *daemon) answerMetrics(ctx context.Context) error {
	d.logger.Info("metrics are served", "url", "http://"+d.metrics.Addr().String()+"/metrics")
	return serveMetrics(ctx, d.metrics, metrics.NewHandler(d.registry, d.keystore.Health), d.logger.Named("metrics"))
}

func (d *daemon) journalMetrics() metrics.Journal {
	head := d.trail.Head()
	return metrics.Journal{
		ID: d.journal.String(), HeadHash: head.Hash.String(), HeadSequence: head.Seq,
		FirstSequence: d.trail.First(), SizeBytes: d.trail.Size(), Healthy: d.trail.Healthy() == nil,
	}
}

func (d *daemon) digestMetrics() (all []metrics.Digest) {
	for _, g := range d.export.Load().Status().Digests {
		all = append(all, metrics.Digest{Region: g.Region, End: g.End, LastSequence: g.LastSequence})
	}
	return all
}

func (d *daemon) sinkStatuses() (all []ship.Status) {
	for _, s := range d.sinks {
		all = append(all, s.Status())
	}
	return all
}
