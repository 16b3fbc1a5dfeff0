package ration

import (
	"testing"
	"time"
)

func TestRation(t *testing.T) {
	start := time.Now()
	var r Ration
	for _, test := range []struct {
		after   time.Duration
		ok      bool
		skipped int
	}{
		{0, true, 0},
		{time.Second, false, 0},
		{59 * time.Second, false, 0},
		{60 * time.Second, true, 2},
		{61 * time.Second, false, 0},
		{time.Hour, true, 1},
		{2 * time.Hour, true, 0},
	} {
		if skipped, ok := r.Take(start.Add(test.after)); ok != test.ok || skipped != test.skipped {
			t.Errorf("after %v: %t, %d skipped; want %t, %d", test.after, ok, skipped, test.ok, test.skipped)
		}
	}
}
