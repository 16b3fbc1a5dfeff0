package journal

import (
	"runtime"
	"testing"
)

// unwritten is a journal without a writer, and a way to have callers come.
func unwritten(t *testing.T) (j *Journal, enqueue func()) {
	t.Helper()
	j = &Journal{wake: make(chan struct{}, 1), maxBatch: 1 << 20, maxQueued: 1 << 20}
	return j, func() {
		if _, err := j.enqueue([]Entry{{}}, recordOverhead); err != nil {
			t.Error(err)
		}
	}
}

// oneProcessor has goroutines run one after the other, so that those that are ready wait.
func oneProcessor(t *testing.T) {
	t.Helper()
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// Callers that are ready to run when the first one has come are written with it. The scheduler
// promises no order, so it is most of them in many rounds, and none if nobody let them go first.
func TestCallersThatAreReadyAreGathered(t *testing.T) {
	oneProcessor(t)
	const rounds, callers = 100, 16
	gathered := 0
	for range rounds {
		j, enqueue := unwritten(t)
		done := make(chan struct{}, callers)
		enqueue()
		for range callers {
			go func() {
				enqueue()
				done <- struct{}{}
			}()
		}
		j.gather()
		gathered += j.callers() - 1
		for range callers {
			<-done
		}
	}
	if gathered < rounds*callers/2 {
		t.Errorf("gathered %d callers of %d", gathered, rounds*callers)
	}
}

// Without anybody else it ends.
func TestNobodyIsWaitedFor(t *testing.T) {
	for _, callers := range []int{0, 1, 100} {
		j, enqueue := unwritten(t)
		for range callers {
			enqueue()
		}
		j.gather()
		if n := j.callers(); n != callers {
			t.Errorf("%d callers of %d are left", n, callers)
		}
	}
}

// Where there is always one more, it ends all the same.
func TestGatheringEndsWithItsTime(t *testing.T) {
	oneProcessor(t)
	j, enqueue := unwritten(t)
	j.maxQueued = 1 << 30
	enqueue()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				enqueue()
				runtime.Gosched()
			}
		}
	}()
	j.gather()
	close(stop)
	<-stopped
	if j.callers() < 2 {
		t.Error("nobody else has come")
	}
}
