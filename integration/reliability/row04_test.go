package reliability

import (
	"slices"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 4: what is idle dies: sessions by the device's clock, and connections by a firewall's.
// A connection is never idle for so long, and a session that has died costs no request.
func TestRow04Idle(t *testing.T) {
	const dies = 600 * time.Millisecond
	row{
		world: options{hang: 200 * time.Millisecond, faults: []faultp11.Fault{faultp11.Idle(dies)}},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			w.pause(3 * dies)
			return firstOf(served(w.use(key)), w.makesKeys(), w.neverIdle(dies))
		},
		without: []needed{{defence.KeepAlive, errMet}},
	}.test(t)
}

// neverIdle wants no library to have been left alone for so long.
func (w *world) neverIdle(most time.Duration) error {
	calls, err := w.calls()
	if err != nil {
		return err
	}
	slices.SortFunc(calls, func(a, b faultp11.Call) int { return a.Time.Compare(b.Time) })
	for i := range len(calls) - 1 {
		if idle := calls[i+1].Time.Sub(calls[i].Time); idle >= most {
			return broken(errMet, "the connection was idle for %v, and after %v it is cut", idle, most)
		}
	}
	return nil
}
