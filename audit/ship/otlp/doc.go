// Package otlp sends the audit trails to a collector of OpenTelemetry logs, by OTLP 1.x
// over gRPC or over HTTP with protobuf ("OpenTelemetry Protocol Specification").
//
// Each API event and each HSM entry is a log record whose body is the event, as JSON,
// or the entry, as CloudHSM prints it, byte for byte; attributes repeat what receivers
// look for. docs/shipping.md lists them.
package otlp
