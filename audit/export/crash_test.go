package export

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

var errCrash = errors.New("the process is dead")

// crash lets nothing change the directory any more from a step on.
type crash struct{ left atomic.Int64 }

// crashAfter lets n changes be made.
func crashAfter(n int) *crash {
	c := new(crash)
	c.left.Store(int64(n))
	return c
}

func (c *crash) before(string, string) error {
	if c.left.Add(-1) < 0 {
		return errCrash
	}
	return nil
}

// crashed says whether it came to that.
func (c *crash) crashed() bool { return c.left.Load() < 0 }

// life is what the exporter of a test does between two starts, if nothing stops it.
func (w *world) life() error {
	e, err := Open(w.opts)
	if err != nil {
		return err
	}
	w.events(home, 2)
	w.events(second, 1)
	w.hsm("hsm-1", 1)
	err = e.Digest(w.Context())
	w.events(home, 1)
	return errors.Join(err, e.Close(context.Background()))
}

// TestCrashAtEveryStep stops the exporter before every change of the directory, and
// again somewhere in what its next start does about it.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.life()) // makes the directories
	n := 0
	for w.crashAt(n) {
		n++
		if n%16 == 0 {
			w.checkAll(n)
		}
	}
	w.checkAll(n)
	if n < 30 {
		t.Errorf("only %d steps", n)
	}
}

// TestCrashOfTheFirstStart does the same, less often, where there are no directories.
func TestCrashOfTheFirstStart(t *testing.T) {
	t.Parallel()
	for n, crashed := 0, true; crashed; n += 29 {
		w := newWorld(t)
		crashed = w.crashAt(n)
		must(t, w.life())
		w.checkAll(n)
	}
}

// crashAt lives until the n-th step, and then for a few more. It returns whether
// there was such a step.
func (w *world) crashAt(n int) bool {
	w.Helper()
	c := crashAfter(n)
	w.opts.before = c.before
	if err := w.life(); (err == nil) == c.crashed() {
		w.Fatalf("after %d steps: %v", n, err)
	}
	again := crashAfter(n % 11)
	w.opts.before = again.before
	_ = w.life() // stops somewhere, or not
	w.opts.before = nil
	return c.crashed()
}

func (w *world) checkAll(n int) {
	w.Helper()
	must(w, w.life())
	if report := w.check(); len(report.Unnamed) > 0 {
		w.Fatalf("after crashes at up to %d steps there are files that no digest names: %q", n, report.Unnamed)
	}
}

// TestWhatIsNamedIsDurable wants the content of every file to be durable, and
// its name in tempDir, before the state that decides about it.
func TestWhatIsNamedIsDurable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unsynced, unlisted := 0, false
	w.opts.before = func(operation, path string) error {
		switch operation {
		case "create":
			unsynced, unlisted = unsynced+1, true
		case "sync":
			unsynced--
		case "sync directory":
			unlisted = unlisted && path != disk{root: w.opts.Directory}.path(tempDir)
		case "rename":
			if unsynced > 0 {
				t.Errorf("%s gets its name while %d files are not durable", path, unsynced)
			}
		}
		return nil
	}
	must(t, w.life())
	w.check()
}

func TestKilledWhileItWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := crashAfter(1 << 30)
	w.opts.before = c.before
	e := w.open()
	w.events(home, 10)
	for e.Status().Lag == 0 {
		time.Sleep(time.Millisecond) // until it has begun a file; nothing tells
	}
	c.left.Store(0)
	_ = e.Close(t.Context()) // as if it were killed
	w.opts.before = nil
	w.close(w.open())
	w.check()
}
