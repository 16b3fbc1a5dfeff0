package alarm

import (
	"testing"
	"time"
)

// A server that is started after it was stopped for longer than two digest periods makes the
// digests that are due at once: nobody is told of the time when there was no server.
func TestAStartAfterALongStop(t *testing.T) {
	t.Parallel()
	hoursAgo, now := -4*3600.0, 5.0
	s := script{step: DefaultInterval, series: []scriptSeries{{
		"strongroom_audit_digest_end_timestamp_seconds", labels{"region": "eu-central-1"}, []float64{hoursAgo, hoursAgo, hoursAgo, now, now},
	}}}
	play(Table(DefaultSettings()), s, 5, func(step int, firing []string) {
		if len(firing) > 0 {
			t.Errorf("%v after the start: %v", time.Duration(step)*s.step, firing)
		}
	})
}
