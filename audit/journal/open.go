package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit/durable"
)

// Open opens the journal in opts.Dir, makes it if there is none, and says what
// it found. It fails with ErrInUse if the directory is open elsewhere, and with
// a *Corruption if the newest segment or the row of segments is bad. A torn
// tail is cut off and reported.
func Open(opts Options) (*Journal, Recovery, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, Recovery{}, err
	}
	if err := durable.MakeDir(opts.Dir, 0o700, opts.syncDir); err != nil {
		return nil, Recovery{}, fmt.Errorf("making the journal directory: %w", err)
	}
	lock, err := acquireLock(opts.Dir)
	if err != nil {
		return nil, Recovery{}, err
	}
	j, report, err := openLocked(opts, lock)
	if err != nil {
		return nil, report, errors.Join(fmt.Errorf("opening the journal in %s: %w", opts.Dir, err), lock.Close())
	}
	return j, report, nil
}

func openLocked(opts Options, lock *os.File) (*Journal, Recovery, error) {
	found, err := recoverDir(opts)
	if err != nil {
		return nil, found.report(), err
	}
	if err := found.restore(opts.State); err != nil {
		return nil, found.report(), err
	}
	if opts.Accept != nil {
		if err := opts.Accept(found.report()); err != nil {
			return nil, found.report(), err
		}
	}
	if err := found.rewriteLast(opts.open); err != nil {
		return nil, found.report(), err
	}
	w := newWriter(opts, found, lock)
	if err := w.first(); err != nil {
		return nil, found.report(), err
	}
	found.cutOff(opts.Logger)
	w.prep.start()
	go w.run()
	return w.j, found.report(), nil
}

func newWriter(opts Options, found recovered, lock *os.File) *writer {
	retry := time.NewTimer(time.Hour)
	retry.Stop()
	j := &Journal{
		dir: opts.Dir, id: found.id, lock: lock, maxBatch: opts.maxBatch(), stall: opts.stall, maxQueued: opts.maxQueued,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		extents: slices.Clone(found.extents), named: len(found.extents), remove: opts.remove, syncDir: opts.syncDir,
	}
	return &writer{j: j, opts: opts, id: found.id, prep: newPreparer(opts), at: found.end.at, retry: retry}
}

// first begins the segment that this process writes first. It is small, so
// that starting is fast.
func (w *writer) first() error {
	state, err := w.checkpoint()
	if err != nil {
		return err
	}
	size := w.opts.firstSize(len(state.buf))
	path, err := prepare(context.Background(), w.opts.open, w.opts.Dir, size)
	if err != nil {
		return err
	}
	if err = w.continueIn(path, size, state); err == nil {
		err = w.broken
	}
	if err == nil {
		return nil
	}
	if w.seg != nil {
		w.giveUp()
	}
	return errors.Join(err, w.closeRetired())
}
