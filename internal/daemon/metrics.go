package daemon

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/strongroom-kms/strongroom/internal/metrics"
	"github.com/strongroom-kms/strongroom/server/httpserve"
)

// listenMetrics takes the address for Prometheus and the console, if there is to be one.
func (d *daemon) listenMetrics(ctx context.Context) (err error) {
	if d.config.Metrics.Listen == "" {
		return nil
	}
	if d.metrics, err = new(net.ListenConfig).Listen(ctx, "tcp", d.config.Metrics.Listen); err != nil {
		return fmt.Errorf("listening for metrics: %w", err)
	}
	d.parts.add("listener for metrics", closing(d.metrics))
	return d.openConsole()
}

// answerMetrics answers Prometheus, and browsers, until ctx ends.
func (d *daemon) answerMetrics(ctx context.Context) error {
	logger := d.logger.Named("metrics")
	c := httpserve.Config{
		For:            "Prometheus and the console",
		MaxConnections: d.config.Limits.MaxConnections, DrainTimeout: d.config.Limits.DrainTimeout, Logger: logger,
	}
	var trusted func(*tls.ConnectionState) bool // plain HTTP brings no certificates
	var err error
	if d.config.Metrics.TLS {
		if c.TLS, trusted, err = d.tlsFiles().WebConfig(logger); err != nil {
			return err
		}
	}
	if c.Handler, err = d.withConsole(metrics.NewHandler(d.registry, d.keystore.Health), trusted); err != nil {
		return err
	}
	d.logger.Info("metrics are served", "url", d.metricsURL()+"/metrics")
	return httpserve.Serve(ctx, d.metrics, c)
}

// metricsURL is the address of the listener for metrics.
func (d *daemon) metricsURL() string {
	if d.config.Metrics.TLS {
		return "https://" + d.metrics.Addr().String()
	}
	return "http://" + d.metrics.Addr().String()
}
