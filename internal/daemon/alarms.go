package daemon

import (
	"context"
	"fmt"

	"github.com/strongroom-kms/strongroom/internal/alarm"
	"github.com/strongroom-kms/strongroom/internal/metricfilter"
)

// openAlarms registers the alarms and the metric filters, which count the records that
// are written from now on. Nothing is evaluated before all parts are open.
func (d *daemon) openAlarms(context.Context) (err error) {
	d.filters, err = metricfilter.New(metricfilter.Options{Trail: d.trail, Filters: d.metricFilters(), Logger: d.logger.Named("metric-filter")})
	if err != nil {
		return err
	}
	d.alarms = alarm.New(alarm.Options{
		Alarms:   alarm.Table(alarm.Settings{DigestPeriod: d.config.Audit.DigestPeriod}),
		Gatherer: d.registry, Interval: d.options.EvaluateEvery, Logger: d.logger.Named("alarm"),
	})
	if err := d.registry.Register(d.filters); err != nil {
		return fmt.Errorf("registering the metrics of metric filters: %w", err)
	}
	if err := d.registry.Register(d.alarms); err != nil {
		return fmt.Errorf("registering the metrics of alarms: %w", err)
	}
	d.run("metric filters", d.filters.Run)
	return nil
}

func (d *daemon) metricFilters() []metricfilter.Filter {
	var all []metricfilter.Filter
	for _, f := range d.config.MetricFilters {
		all = append(all, metricfilter.Filter(f))
	}
	return metricfilter.WithBuiltin(all)
}

// startAlarms begins to evaluate the alarms, which are about all other parts.
func (d *daemon) startAlarms(context.Context) error {
	d.run("alarms", d.alarms.Run)
	return nil
}

// run runs a part beside the others until it is closed.
func (d *daemon) run(name string, part func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background()) //nolint:gosec // closing the part stops it
	done := make(chan struct{})
	go func() {
		defer close(done)
		part(ctx)
	}()
	d.parts.add(name, func(context.Context) error {
		stop()
		<-done
		return nil
	})
}
