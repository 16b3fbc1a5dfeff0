package daemon

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/audit/ship"
	"github.com/strongroom-kms/strongroom/internal/metrics"
	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/server"
)

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
	for _, c := range []prometheus.Collector{
		d.requests,
		metrics.NewKeys(func() keystore.KeyFigures { return d.keystore.KeyFigures() }, d.certificates),
		metrics.NewServer(func() server.Load { return d.server.Load() }),
		metrics.NewDisks(map[string]string{"data": d.config.DataDir, "trail": d.config.AuditDirectory()}),
	} {
		if err := d.registry.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
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
