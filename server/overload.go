package server

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// overloadInterval is the least time between two lines about refusals.
	overloadInterval = 10 * time.Second
	// overloadDelay is how long the first line may take.
	overloadDelay = time.Second
)

// overload counts what was refused because there was too much of it, and tells
// the log now and then: a line for each refusal would be load too.
type overload struct {
	logger      hclog.Logger
	recorded    atomic.Int64 // requests with an event
	unrecorded  atomic.Int64 // requests without
	connections atomic.Int64
	open        atomic.Int64 // connections at the moment
	inFlight    func() int
	told        refusals // what the log has been told of
}

// refusals are what was refused since the start.
type refusals struct{ recorded, unrecorded, connections int64 }

// watch reports until ctx ends, and what is left then.
func (o *overload) watch(ctx context.Context) {
	tick := time.NewTicker(overloadDelay)
	defer tick.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			o.report()
			return
		case now := <-tick.C:
			if now.Sub(last) >= overloadInterval && o.report() {
				last = now
			}
		}
	}
}

// report logs what has been refused since the last time, and says whether that
// was anything. The goroutines are told because they are what an overload must
// not multiply.
func (o *overload) report() bool {
	now, told := refusals{o.recorded.Load(), o.unrecorded.Load(), o.connections.Load()}, o.told
	if now == told {
		return false
	}
	o.told = now
	o.logger.Warn("there was too much to do, and some of it was refused", "requests", now.recorded-told.recorded,
		"requests_without_event", now.unrecorded-told.unrecorded, "connections", now.connections-told.connections,
		"in_flight", o.inFlight(), "open_connections", o.open.Load(), "goroutines", runtime.NumGoroutine())
	return true
}
