package metricfilter

import (
	"os"
	"testing"

	"github.com/strongroom-kms/strongroom/audit"
)

// BenchmarkBuiltin compares an event of a request that was answered with the built-in filters.
func BenchmarkBuiltin(b *testing.B) {
	event, err := os.ReadFile("../../audit/testdata/event_least.json")
	if err != nil {
		b.Fatal(err)
	}
	var filters []*compiled
	for _, f := range Builtin() {
		one, err := f.compile()
		if err != nil {
			b.Fatal(err)
		}
		filters = append(filters, one)
	}
	for b.Loop() {
		for _, f := range filters {
			if matches, err := f.match(audit.Record{Kind: audit.RecordEvent, JSON: event}); matches || err != nil {
				b.Fatal(f.Name, matches, err)
			}
		}
	}
}
