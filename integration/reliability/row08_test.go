package reliability

import (
	"slices"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 8: keys are made while others are used, and libraries do not bear two that are made
// at the same time, be it by two members.
func TestRow08KeysMadeUnderLoad(t *testing.T) {
	const takes = 60 * time.Millisecond
	row{
		world: options{members: 2, deadline: 5 * time.Second, faults: []faultp11.Fault{faultp11.Delay("C_GenerateKey", takes)}},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			clients := w.using(4, key)
			made := w.burst(6, w.makeAndUse).stopServed()
			return firstOf(w.oneByOne("C_GenerateKey", takes), made, clients.stopServed(), w.unharmed())
		},
		without: []needed{{defence.OneChange, errTogether}},
	}.test(t)
}

// makeAndUse makes a key and uses it.
func (w *world) makeAndUse() error {
	key, err := w.newKey()
	if err != nil {
		return err
	}
	return w.use(key)
}

// oneByOne wants no call of a function to have begun before another one had ended, where
// each takes that long.
func (w *world) oneByOne(function string, takes time.Duration) error {
	calls, err := w.calls()
	if err != nil {
		return err
	}
	var ends []time.Time
	for _, c := range calls {
		if c.Function == function {
			ends = append(ends, c.Time)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	for i := range len(ends) - 1 {
		if apart := ends[i+1].Sub(ends[i]); apart < takes {
			return broken(errTogether, "two calls of %s, of %v each, ended within %v", function, takes, apart)
		}
	}
	return nil
}
