package journal

import (
	"runtime"
	"time"
)

// gatherFor is the longest that the writer lets others go first. It is about what one
// write takes on a fast disk: that long those who come late would wait for the write that
// left without them.
const gatherFor = 500 * time.Microsecond

// gather lets the goroutines that are ready to run go first, as long as that brings
// more callers.
//
// Callers come in turns: those whose batch was just written append again a moment
// later, and where the processors are the limit those that are about to append are
// waiting for one. A writer that starts with the first of them writes a small batch,
// and all others wait for its end; so the same callers make twice the writes. Where
// nobody is ready to run this takes no time, so a single caller waits for nobody.
func (j *Journal) gather() {
	began := time.Now()
	for n := j.callers(); n > 0; {
		runtime.Gosched()
		more := j.callers()
		if more == n || time.Since(began) > gatherFor {
			return
		}
		n = more
	}
}

// callers returns how many wait to be written for.
func (j *Journal) callers() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.waiting
}
