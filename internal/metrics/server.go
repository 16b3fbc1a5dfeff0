package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/server"
)

// serverLoad collects the metrics of a server's load.
type serverLoad struct {
	load    func() server.Load
	metrics []loadMetric
}

// loadMetric is one of them.
type loadMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(server.Load) float64
}

// NewServer returns a collector of how busy a server is.
func NewServer(load func() server.Load) prometheus.Collector {
	metric := func(name, help string, kind prometheus.ValueType, value func(server.Load) float64) loadMetric {
		return loadMetric{prometheus.NewDesc("strongroom_"+name, help, nil, nil), kind, value}
	}
	return &serverLoad{load, []loadMetric{
		metric("requests_in_flight", "Requests that are worked on.", prometheus.GaugeValue, func(l server.Load) float64 { return float64(l.InFlight) }),
		metric("requests_in_flight_limit", "Requests that can be worked on at the same time; more are refused.", prometheus.GaugeValue, func(l server.Load) float64 { return float64(l.MaxInFlight) }),
		metric("operator_streams", "Open streams of the operator service.", prometheus.GaugeValue, func(l server.Load) float64 { return float64(l.Streams) }),
		metric("grpc_connections", "Open connections of gRPC clients.", prometheus.GaugeValue, func(l server.Load) float64 { return float64(l.Connections) }),
		metric("grpc_connections_limit", "Connections of gRPC clients that can be open; more are closed.", prometheus.GaugeValue, func(l server.Load) float64 { return float64(l.MaxConnections) }),
		metric("grpc_connections_refused_total", "Connections of gRPC clients that were closed because there were too many.", prometheus.CounterValue, func(l server.Load) float64 { return float64(l.RefusedConnections) }),
	}}
}

// Describe implements prometheus.Collector.
func (s *serverLoad) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range s.metrics {
		descs <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (s *serverLoad) Collect(metrics chan<- prometheus.Metric) {
	l := s.load()
	for _, m := range s.metrics {
		metrics <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(l))
	}
}
