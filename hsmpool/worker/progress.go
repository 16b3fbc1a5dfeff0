//go:build cgo

package worker

import (
	"sync/atomic"
	"time"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// lane is one goroutine that calls the library. It is set by that goroutine and read by
// the one that reports.
type lane struct {
	since atomic.Int64 // when its request began, in nanoseconds of its clock; 0: idle
	epoch time.Time
}

func newLane() *lane { return &lane{epoch: time.Now()} }

// begin notes that a request begins, end that it has ended.
func (l *lane) begin() { l.since.Store(max(1, int64(time.Since(l.epoch)))) }
func (l *lane) end()   { l.since.Store(0) }

// age is how long the lane has been at its request; 0 if it has none.
func (l *lane) age() time.Duration {
	since := l.since.Load()
	if since == 0 {
		return 0
	}
	return max(1, time.Since(l.epoch)-time.Duration(since))
}

// progress is what the worker is at: a slow HSM makes the server wait, one that hangs
// is told from it by a request that does not end.
type progress struct {
	data []*lane // of those that use keys
	slow []*lane // of those that make, destroy and list them
}

func (p *progress) message() *workerv1.Progress {
	return &workerv1.Progress{DataMicros: oldest(p.data), ManagementMicros: oldest(p.slow)}
}

// oldest is for how many microseconds the oldest request of some lanes is under way.
func oldest(lanes []*lane) uint64 {
	var age time.Duration
	for _, l := range lanes {
		age = max(age, l.age())
	}
	return uint64(age.Microseconds())
}

// report tells the server how the worker is until the socket ends. That it hears anything
// at all tells it that the worker is running.
func (s *server) report(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for range ticker.C {
		if err := s.tell(); err != nil {
			s.log.Debug("reporting to a server that is gone", "error", err)
			return
		}
	}
}
