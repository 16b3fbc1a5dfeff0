// Package opentelemetry sends metrics and traces to a collector of OpenTelemetry, by OTLP
// over gRPC or over HTTP with protobuf. The metrics are those of the Prometheus registry,
// pushed; the spans are made by server and keystore, which know the tracing API and nothing
// of this.
//
// Nobody waits for the collector: what cannot be sent is dropped, and the log says so once.
// Spans that do not fit in the queue of a collector that is too slow are dropped without a word.
package opentelemetry
