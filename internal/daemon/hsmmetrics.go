package daemon

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/strongroom-kms/strongroom/internal/metrics"
	"github.com/strongroom-kms/strongroom/internal/metrics/cloudhsm"
	"github.com/strongroom-kms/strongroom/internal/metrics/history"
	"github.com/strongroom-kms/strongroom/internal/telemetry"
	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// metricsDir is where a data directory has the history of metrics.
func metricsDir(dataDir string) string { return filepath.Join(dataDir, "metrics") }

// openHistory reads the history of metrics, and registers those of HSMs. Nothing is asked of
// the HSMs before all parts are open.
func (d *daemon) openHistory(context.Context) (err error) {
	d.history, err = history.Open(history.Options{
		Dir: metricsDir(d.config.DataDir), Every: d.options.SampleEvery, Logger: d.logger.Named("metrics"),
	})
	if err != nil {
		return err
	}
	if err := d.registry.Register(metrics.NewHSMs(d.hsmMetrics)); err != nil {
		return fmt.Errorf("registering the metrics of HSMs: %w", err)
	}
	return nil
}

// startTelemetry begins to ask the operator's sources, and has HSMs that are too hot taken
// out of service.
func (d *daemon) startTelemetry(context.Context) (err error) {
	d.telemetry, err = telemetry.Start(telemetrySources(d.config), d.keystore, d.logger.Named("telemetry"))
	if err != nil {
		return err
	}
	d.parts.add("telemetry", func(context.Context) error {
		d.telemetry.Close()
		return nil
	})
	return nil
}

// startHistory begins to sample. It is the first part to be closed, since it asks all others.
func (d *daemon) startHistory(context.Context) error {
	hsms := func() []metric.Value { return cloudhsm.Values(d.hsmReadings()) }
	d.history.Start(hsms, history.Service(d.registry))
	d.parts.add("history of metrics", func(context.Context) error {
		d.history.Close()
		return nil
	})
	return nil
}

// hsmReadings are CloudHSM's metrics of all HSMs.
func (d *daemon) hsmReadings() (all []cloudhsm.HSM) {
	service := cloudhsm.Service{Principals: d.keystore.Principals(), Channels: int(d.channels.open.Load())}
	for _, m := range d.keystore.Members() {
		all = append(all, cloudhsm.Read(m, d.telemetry.Values(m.HSMID), service))
	}
	return all
}

func (d *daemon) hsmMetrics() (all []metrics.HSM) {
	for _, h := range d.hsmReadings() {
		all = append(all, metrics.HSM{HSM: h, KeysLimit: d.keysLimit(h.Member), TelemetryErrors: d.telemetry.Errors(h.HSMID)})
	}
	return all
}

// keysLimit is how many keys the cluster of an HSM can have, as the configuration says.
func (d *daemon) keysLimit(m keystore.Member) int {
	if m.Store == "" {
		return d.config.HSM.KeysLimit
	}
	for _, c := range d.config.Clusters {
		if c.ID == m.ClusterID {
			return c.KeysLimit
		}
	}
	return 0
}
