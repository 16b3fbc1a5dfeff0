package config

import (
	"strings"
	"time"
)

// OpenTelemetry is a collector that metrics and traces are sent to by OTLP. The audit trails
// have one of their own, Audit.OTLP.
type OpenTelemetry struct {
	// Endpoint is the collector's URL, such as "https://collector.example:4317"; http:// is
	// for a loopback address only. With the protocol http it may have a path, to which
	// /v1/metrics and /v1/traces are added. Default: there is none.
	Endpoint string `yaml:"endpoint"`
	// Protocol is "grpc" or "http" (protobuf over HTTP). Default "grpc".
	Protocol string `yaml:"protocol"`
	// HeadersFile has headers that are sent along, one "Name: value" in each line, such as
	// an Authorization; an absolute path. It is read before each request. Default: none.
	HeadersFile string `yaml:"headers_file"`
	// CA is a PEM file of the authorities that the endpoint's certificate is checked
	// against, an absolute path. Default: those of the system.
	CA string `yaml:"ca"`
	// MetricsPeriod is how often the metrics are sent, 1s to 1h; 0s: never. Default 1m.
	MetricsPeriod time.Duration `yaml:"metrics_period"`
	// Traces is the share of requests that are traced, 0 to 1, of those whose clients do not
	// say themselves (W3C Trace Context). Default 0: no request is, whatever its client says.
	Traces float64 `yaml:"traces"`
}

// defaultOpenTelemetry is the section that a file leaves out.
func defaultOpenTelemetry() OpenTelemetry {
	return OpenTelemetry{Protocol: "grpc", MetricsPeriod: time.Minute}
}

func (v *validation) openTelemetry(o *OpenTelemetry) {
	if !v.config.lines.given("opentelemetry") && o.Endpoint == "" {
		return
	}
	v.collector("opentelemetry", o.Endpoint, o.Protocol, o.HeadersFile, o.CA)
	if o.MetricsPeriod != 0 {
		v.during("opentelemetry.metrics_period", o.MetricsPeriod, time.Second, time.Hour)
	}
	if !(o.Traces >= 0 && o.Traces <= 1) { // nor is it NaN
		v.fault("opentelemetry.traces", "%v is not between 0 and 1", o.Traces)
	}
}

// collector checks how a collector is reached.
func (v *validation) collector(section, endpoint, protocol, headersFile, ca string) {
	v.oneOf(section+".protocol", protocol, "grpc", "http")
	if u := v.endpoint(section+".endpoint", endpoint); u != nil && protocol == "grpc" && strings.Trim(u.Path, "/") != "" {
		v.fault(section+".endpoint", "%q has a path, which gRPC has not", endpoint)
	}
	v.optionalPath(section+".headers_file", headersFile)
	v.optionalPath(section+".ca", ca)
}
