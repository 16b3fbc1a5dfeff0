package journal

import "time"

const (
	// crowd is how many callers make waiting for more of them worth it. Below, a
	// write is started at once: there is little to gain, and a single caller would
	// wait for nobody.
	crowd = 16
	// gatherFor is the longest wait. It is about what one write takes on a fast disk:
	// that long those who come late would wait for the write that left without them.
	gatherFor = 500 * time.Microsecond
)

// gatherer decides when the writer takes what is queued.
//
// Callers come in turns: those whose batch was just written append again a moment
// later. A writer that starts with the first of them writes a small batch, and all
// others wait for its end; so the same callers make twice the writes.
type gatherer struct {
	j       *Journal
	timer   *time.Timer
	longest time.Duration // gatherFor
	// expected is how many callers were in the last batch or waited behind it.
	expected int
}

// wait returns when as many callers wait as were seen last, or after the longest
// time; at once if they are few.
func (g *gatherer) wait() {
	if g.expected <= crowd || !g.j.gather(g.expected) {
		return
	}
	g.timer.Reset(g.longest)
	select {
	case <-g.j.enough:
	case <-g.timer.C:
	}
	g.timer.Stop()
	g.j.gather(0)
}

// gather sets the goal, and returns whether there is any use in waiting for it.
func (j *Journal) gather(goal int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case <-j.enough: // of an earlier goal
	default:
	}
	j.goal = goal
	return j.waiting > 0 && j.waiting < goal && !j.closed
}

// seen notes how many callers a batch had, and how many wait behind it.
func (g *gatherer) seen(callers int) {
	g.j.mu.Lock()
	defer g.j.mu.Unlock()
	g.expected = callers + g.j.waiting
}
