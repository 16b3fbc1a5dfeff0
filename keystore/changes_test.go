package keystore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestChangesOfTheSameTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newChanges()
		first := begun(t, c, "a", "b")
		other := begun(t, c, "c")
		for _, paths := range [][]string{{"a"}, {"c", "b"}, {"d", "c"}} {
			if _, err := c.begin(soon(t), paths...); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a change of %v beside changes of [a b] and [c]: %v", paths, err)
			}
		}
		waiting := make(chan *change)
		go func() { waiting <- begun(t, c, "b", "c") }()
		synctest.Wait()
		first.end()
		synctest.Wait()
		select {
		case <-waiting:
			t.Error("a change began while another had one of its paths")
		default:
		}
		other.end()
		(<-waiting).end()
		begun(t, c, "a", "b", "c", "d").end()
	})
}

func TestAPauseWaitsForChangesAndHoldsNewOnesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newChanges()
		running := begun(t, c, "a")
		if _, err := c.pause(soon(t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("paused beside a change: %v", err)
		}
		begun(t, c, "b").end() // a pause that was given up holds nothing back
		paused := make(chan func())
		go func() {
			resume, err := c.pause(t.Context())
			if err != nil {
				t.Error(err)
			}
			paused <- resume
		}()
		synctest.Wait()
		if _, err := c.begin(soon(t), "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a change began although a pause waits: %v", err)
		}
		running.end()
		resume := <-paused
		if _, err := c.begin(soon(t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a change began in a pause: %v", err)
		}
		resume()
		begun(t, c, "a").end()
	})
}

// A change that waits to be settled keeps others from its path for as long as it takes, so
// that nobody waits for it, and is none under way.
func TestAParkedChangeRefusesOthersAndHoldsNothingElse(t *testing.T) {
	c := newChanges()
	one, other := c.park("a", "material"), c.park("a", "")
	for _, h := range []*change{one, other} {
		if _, err := c.begin(t.Context(), "b", "a"); !errors.Is(err, errParked) {
			t.Errorf("a change beside one that is parked: %v", err)
		}
		h.end()
		h.end()
	}
	begun(t, c, "a", "b").end()
	c.park("a", "material")
	if !c.material()["material"] {
		t.Error("nobody would know whose the material is")
	}
	resume, err := c.pause(soon(t))
	if err != nil {
		t.Fatalf("a pause beside a change that is parked: %v", err)
	}
	resume()
}

func begun(t *testing.T, c *changes, paths ...string) *change {
	t.Helper()
	h, err := c.begin(t.Context(), paths...)
	if err != nil {
		t.Error(err)
	}
	return h
}

// soon is a context that ends in a second.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAnEndedContextBeginsNoChange(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newChanges().begin(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAChangeThatEndsTwiceTakesNothingFromOthers(t *testing.T) {
	t.Parallel()
	c := newChanges()
	first := begun(t, c, "a")
	first.end()
	other := begun(t, c, "a")
	first.end()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.begin(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a change began beside another of the same: %v", err)
	}
	other.end()
}
