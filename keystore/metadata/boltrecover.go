package metadata

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/strongroom-kms/strongroom/audit/durable"
)

// fault is why a Bolt cannot write at present.
type fault struct {
	found chan struct{} // has an element when reason may have been set

	mu     sync.Mutex
	reason error
}

func newFault() fault { return fault{found: make(chan struct{}, 1)} }

func (f *fault) set(reason error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reason = reason
	select {
	case f.found <- struct{}{}:
	default:
	}
}

func (f *fault) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reason = nil
}

func (f *fault) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reason
}

// Healthy returns nil, or why changes cannot be stored: [ErrUnavailable] with the
// file and the cause, which ends by itself when the disk can be written again;
// [ErrCorrupt] after damage was found; or [ErrClosed]. It does not wait.
func (b *Bolt) Healthy() error {
	if err := b.history.ended(); err != nil {
		return err
	}
	return b.fault.get()
}

// writeFailed decides what a failed write has come to. It returns nil if the
// change turns out to have been made. If it failed before bbolt's last step, which
// alone shows a change, nothing has changed, and the Store goes on with the file.
// The caller has the turn to write.
func (b *Bolt) writeFailed(change Change, cause error) error {
	reason := fmt.Errorf("%w: writing %s: %w", ErrUnavailable, b.path, cause)
	switch {
	case errors.Is(cause, errPanicked):
		b.history.stop(reason) // bbolt may hold its locks for ever: nothing more may be asked of it
		return reason
	case errors.Is(cause, ErrCorrupt):
		return cause // the Txn met a damaged record; nothing was written
	case beforeSync(cause) && b.unchanged():
		b.fault.set(reason)
		return reason
	}
	b.unknown = change
	b.history.suspend(reason)
	made, err := b.rebuild()
	if err != nil {
		b.fault.set(fmt.Errorf("%w, nor a copy of it: %w", reason, err))
		return reason
	}
	if !made {
		return reason
	}
	return nil
}

// beforeSync says that a transaction failed in a write, before its last sync. A
// sync fails with a bare errno, and then also what is to be seen proves nothing:
// the kernel may drop the page with the change at any time.
func beforeSync(cause error) bool {
	var write *fs.PathError
	return errors.As(cause, &write)
}

// unchanged says that a reader would see no later transaction than the disk has.
func (b *Bolt) unchanged() bool {
	visible, err := b.visible()
	return err == nil && visible.txid == b.synced
}

// visible returns what a reader would see.
func (b *Bolt) visible() (at position, err error) {
	err = guard(func() error {
		return b.db.View(func(tx *bbolt.Tx) error {
			at = position{revision: storeRevision(tx), txid: tx.ID()}
			return nil
		})
	})
	return at, err
}

// mend tries, while there is a fault and until ctx ends, to write again.
func (b *Bolt) mend(ctx context.Context) {
	defer close(b.mended)
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.fault.found:
		}
		for pause := b.retry; b.fault.get() != nil; pause = min(2*pause, maxRetryFactor*b.retry) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			b.tryAgain()
		}
	}
}

// tryAgain makes one attempt to end the fault.
func (b *Bolt) tryAgain() {
	<-b.writer // Close waits for mend before it takes the turn
	defer b.unlockWriter()
	if b.fault.get() == nil || b.history.ended() != nil {
		b.fault.clear()
		return
	}
	if b.history.inDoubt() {
		if _, err := b.rebuild(); err != nil {
			b.fault.set(fmt.Errorf("writing a copy of %s: %w", b.path, err))
		}
		return
	}
	// A few free pages would do for a small write, so that it proves nothing for the
	// change that failed.
	err := b.transact(takeRoom(b.needed))
	if err == nil {
		err = b.transact(giveRoom)
	}
	if err == nil {
		b.fault.clear()
		return
	}
	_ = b.writeFailed(Change{}, err) // nobody waits for it
}

// rebuild settles what became of a change that is to be seen but may not be on
// the disk, and returns whether it was made. A kernel forgets what it could not
// write, so that a second sync of the same file proves nothing: what is to be seen
// becomes durable as a new file, which then takes the place of the old one. The
// caller has the turn to write.
//
// Both files are locked while the new one gets the name, and who opens a file
// checks that it still has it, so that no other process can come between.
func (b *Bolt) rebuild() (made bool, err error) {
	at, err := b.replaceFile()
	if errors.Is(err, ErrCorrupt) {
		b.history.stop(withRemedy(err))
	}
	if err != nil {
		return false, err
	}
	made = len(b.unknown.Events) > 0 && at.revision == b.unknown.Revision
	if made {
		b.history.add(b.unknown)
	}
	b.unknown = Change{}
	b.fault.clear()
	b.history.settle()
	return made, nil
}

// replaceFile makes a durable copy of what is to be seen the Store's file. The error
// is ErrCorrupt if what is to be seen is damaged, else ErrUnavailable.
func (b *Bolt) replaceFile() (position, error) {
	seen, err := b.visible()
	if err != nil {
		return position{}, unlessCorrupt(err)
	}
	draft, err := writeDraft(b.path, seen.revision, b.visibleEntries)
	if err != nil {
		return position{}, unlessCorrupt(err)
	}
	file, at, err := openBoltFile(draft, defaultLockTimeout)
	if err == nil {
		err = os.Rename(draft, b.path)
	}
	if err != nil {
		file.abandon(err)
		err = errors.Join(err, os.Remove(draft))
		return position{}, fmt.Errorf("%w: the copy: %s", ErrUnavailable, err.Error()) // a bad copy is no damage of the file
	}
	b.use(file, at)
	return at, unlessCorrupt(durable.SyncDir(filepath.Dir(b.path)))
}

// unlessCorrupt is ErrUnavailable for every error that is not ErrCorrupt.
func unlessCorrupt(err error) error {
	if err == nil || errors.Is(err, ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// use replaces the open file.
func (b *Bolt) use(file boltFile, at position) {
	b.swap.Lock()
	defer b.swap.Unlock()
	_ = b.db.Close() // nothing of it counts any more
	b.boltFile, b.synced = file, at.txid
}

// visibleEntries yields the entries that a reader would see.
func (b *Bolt) visibleEntries(yield func(Entry, error) bool) {
	err := guard(func() error {
		return b.db.View(func(tx *bbolt.Tx) error {
			each(tx, "", yield)
			return nil
		})
	})
	if err != nil {
		yield(Entry{}, err)
	}
}
