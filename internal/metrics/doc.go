// Package metrics tells Prometheus how the server is: an HTTP handler with /metrics,
// /healthz and /readyz. What is measured stays with its owners, who are asked when
// somebody scrapes; so there is nothing to keep in step, and no global registry.
//
// docs/monitoring.md describes each metric.
package metrics
