package journal

import (
	"testing"
	"time"
)

// gathering is a gatherer that expects so many callers, without a writer, and a
// way to have more of them come.
func gathering(t *testing.T, expected int, longest time.Duration) (g *gatherer, enqueue func(n int)) {
	t.Helper()
	j := &Journal{wake: make(chan struct{}, 1), enough: make(chan struct{}, 1), maxBatch: 1 << 20, maxQueued: 1 << 20}
	timer := time.NewTimer(time.Hour)
	t.Cleanup(func() { timer.Stop() })
	return &gatherer{j: j, timer: timer, longest: longest, expected: expected}, func(n int) {
		for range n {
			if _, err := j.enqueue([]Entry{{}}, recordOverhead); err != nil {
				t.Error(err)
			}
		}
	}
}

// queuedCallers returns how many callers wait and how many are gathered for.
func (j *Journal) queuedCallers() (waiting, goal int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.waiting, j.goal
}

// Where gathering is of no use it does not wait: here it would for an hour.
func TestNobodyWaitsForFew(t *testing.T) {
	for name, tt := range map[string]struct{ expected, waiting int }{
		"a single caller":           {1, 1},
		"as many as are few":        {crowd, 1},
		"nobody to write for":       {2 * crowd, 0},
		"all who are expected":      {2 * crowd, 2 * crowd},
		"more than were there last": {2 * crowd, 3 * crowd},
	} {
		t.Run(name, func(t *testing.T) {
			g, enqueue := gathering(t, tt.expected, time.Hour)
			enqueue(tt.waiting)
			g.wait()
		})
	}
}

func TestGatheringEndsWithTheLastWhoIsExpected(t *testing.T) {
	g, enqueue := gathering(t, 2*crowd, time.Hour)
	for range 3 { // no trace of a round is left for the next
		enqueue(3)
		gathered := make(chan int)
		go func() {
			g.wait()
			waiting, _ := g.j.queuedCallers()
			gathered <- waiting
		}()
		for goal := 0; goal == 0; time.Sleep(time.Microsecond) {
			_, goal = g.j.queuedCallers()
		}
		enqueue(2*crowd - 3)
		if n := <-gathered; n != 2*crowd {
			t.Errorf("gathered %d callers, want %d", n, 2*crowd)
		}
		g.j.next()
	}
}

func TestGatheringEndsWithItsTime(t *testing.T) {
	g, enqueue := gathering(t, 2*crowd, time.Millisecond)
	enqueue(3)
	g.wait()
	if _, goal := g.j.queuedCallers(); goal != 0 {
		t.Errorf("goal %d is left", goal)
	}
	g.seen(3)
	enqueue(crowd)
	g.expected = 0
	g.seen(3)
	if g.expected != 3+3+crowd {
		t.Errorf("expected %d callers, want those of the batch and those behind it", g.expected)
	}
}
