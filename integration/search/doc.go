// Package search measures searches of the audit trails over many events. Its tests are in
// search_test.go.
package search
