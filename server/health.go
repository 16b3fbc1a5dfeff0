package server

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// healthReporter tells gRPC's health service what the keystore says of itself.
type healthReporter struct {
	server   *health.Server
	services []string // "" is the whole server
	check    func() error
	logger   hclog.Logger
	reason   string // why it is not serving, "" while it is
}

func newHealthReporter(check func() error, logger hclog.Logger) *healthReporter {
	return &healthReporter{server: health.NewServer(), services: []string{""}, check: check, logger: logger}
}

// watch reports until ctx ends, and from then on that nothing is served.
func (h *healthReporter) watch(ctx context.Context) {
	tick := time.NewTicker(healthInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			h.server.Shutdown()
			return
		case <-tick.C:
			h.report()
		}
	}
}

// report asks once. The reason is logged when it changes, not every second.
func (h *healthReporter) report() {
	reason, state := "", healthv1.HealthCheckResponse_SERVING
	if err := h.check(); err != nil {
		reason, state = err.Error(), healthv1.HealthCheckResponse_NOT_SERVING
	}
	switch {
	case reason == h.reason:
	case reason != "":
		h.logger.Error("not serving", "reason", reason)
	default:
		h.logger.Info("serving again")
	}
	h.reason = reason
	for _, service := range h.services {
		h.server.SetServingStatus(service, state)
	}
}
