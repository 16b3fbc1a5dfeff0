// Package alarm says what operators are told of, and tells them. Its table of alarms is
// the only one: Prometheus's rules (deploy/prometheus/strongroom.rules.yml) are printed
// from it, and an Evaluator evaluates it in the process, for those who have no Prometheus,
// for the console and for the log.
//
// Conditions are made of a few vectors (the latest value, an increase over a window, an age,
// a quantile, aggregations, ratios and differences), each of which prints itself as
// PromQL and evaluates itself as Prometheus does, counter resets and extrapolation included.
// A test runs the same series through promtool and through this package.
//
// docs/monitoring.md has the table for operators.
package alarm
