package metadata

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// BoltOptions are the settings of [OpenBolt]. The zero value is good.
type BoltOptions struct {
	// LockTimeout is how long to wait while another process has the file open.
	// Default: 1 s.
	LockTimeout time.Duration
	// MaxChanges is how many of the newest changes are kept in memory for Watch.
	// Default: 4096. They are also held to 16 MiB together.
	MaxChanges int
}

const (
	defaultLockTimeout = time.Second
	defaultMaxChanges  = 4096
	maxHistorySize     = 16 << 20
)

// Bolt is a [Store] in one bbolt file, for one process. A Commit costs one or two
// fdatasync calls and Commits take turns; reads go on beside them.
//
// Changes for Watch are kept in memory only: after a restart those before it are
// compacted. If a write fails such that it is not known whether the disk has it,
// the Store answers [ErrUnavailable] from then on and has to be opened again,
// because a kernel forgets what it could not write and a second sync may lie.
type Bolt struct {
	path    string
	db      *bbolt.DB
	file    *os.File      // db's own, to give up its lock when db cannot be closed
	writer  chan struct{} // holds one element while nobody writes
	history *history

	closing  sync.Once
	closeErr error
}

var _ Store = (*Bolt)(nil)

// OpenBolt opens the metadata file at path, or makes it in its directory, which
// must exist. It reads through the whole file and returns [ErrCorrupt] if that is
// damaged, not a metadata file, or of a format version that it does not know, and
// [ErrUnavailable] if another process keeps it open for longer than the
// LockTimeout.
func OpenBolt(path string, opts BoltOptions) (*Bolt, error) {
	if opts.LockTimeout <= 0 {
		opts.LockTimeout = defaultLockTimeout
	}
	if opts.MaxChanges <= 0 {
		opts.MaxChanges = defaultMaxChanges
	}
	if err := createIfMissing(path); err != nil {
		return nil, fmt.Errorf("creating metadata file %s: %w", path, err)
	}
	b := &Bolt{path: path, writer: make(chan struct{}, 1)}
	revision, err := b.open(opts.LockTimeout)
	if err != nil {
		return nil, fmt.Errorf("opening metadata file %s: %w", path, err)
	}
	b.history = newHistory(revision, opts.MaxChanges, maxHistorySize)
	b.writer <- struct{}{}
	return b, nil
}

// Get implements [Store].
func (b *Bolt) Get(ctx context.Context, key string) (Entry, error) {
	if err := CheckKey(key); err != nil {
		return Entry{}, err
	}
	var entry Entry
	_, err := b.view(ctx, func(tx *bbolt.Tx) (err error) {
		entry, err = lookUp(tx, key)
		return err
	})
	if err != nil {
		return Entry{}, fmt.Errorf("reading metadata %q: %w", key, err)
	}
	return entry, nil
}

// Range implements [Store].
func (b *Bolt) Range(ctx context.Context, prefix string) (entries []Entry, revision uint64, err error) {
	if err := CheckPrefix(prefix); err != nil {
		return nil, 0, err
	}
	revision, err = b.view(ctx, func(tx *bbolt.Tx) (err error) {
		entries, err = collect(tx, prefix)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("reading metadata under %q: %w", prefix, err)
	}
	return entries, revision, nil
}

// Commit implements [Store].
func (b *Bolt) Commit(ctx context.Context, txn Txn) (revision uint64, err error) {
	if err := txn.Check(); err != nil {
		return 0, err
	}
	if err := b.lockWriter(ctx); err != nil {
		return 0, fmt.Errorf("committing metadata: %w", err)
	}
	defer b.unlockWriter()
	change, err := b.write(txn)
	switch {
	case errors.Is(err, errUnchanged):
		return b.history.revision(), nil
	case errors.Is(err, ErrConflict):
		return 0, err
	case err != nil:
		return 0, fmt.Errorf("committing metadata: %w", b.writeFailed(err))
	}
	b.history.add(change)
	return change.Revision, nil
}

// Watch implements [Store].
func (b *Bolt) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if err := CheckPrefix(prefix); err != nil {
			yield(Change{}, err)
			return
		}
		if err := b.history.follow(ctx, prefix, after, yield); err != nil {
			yield(Change{}, fmt.Errorf("watching metadata under %q: %w", prefix, err))
		}
	}
}

// Close implements [Store].
func (b *Bolt) Close() error {
	b.closing.Do(func() {
		<-b.writer
		defer b.unlockWriter()
		failed := b.history.ended()
		b.history.stop(ErrClosed)
		if errors.Is(failed, errPanicked) {
			// bbolt panicked and may hold its locks for ever.
			b.closeErr = b.file.Close()
		} else {
			b.closeErr = b.db.Close()
		}
		if b.closeErr != nil {
			b.closeErr = fmt.Errorf("closing metadata file %s: %w", b.path, b.closeErr)
		}
	})
	return b.closeErr
}

// lockWriter waits for the turn to write.
func (b *Bolt) lockWriter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-b.writer:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := b.history.ended(); err != nil {
		b.unlockWriter()
		return err
	}
	return nil
}

func (b *Bolt) unlockWriter() { b.writer <- struct{}{} }

// view runs read on a snapshot and returns the snapshot's revision, once that is
// durable: bbolt shows a commit to readers shortly before its last sync is done.
func (b *Bolt) view(ctx context.Context, read func(*bbolt.Tx) error) (revision uint64, err error) {
	if err := errors.Join(ctx.Err(), b.history.ended()); err != nil {
		return 0, err
	}
	err = guard(func() error {
		return b.db.View(func(tx *bbolt.Tx) error {
			revision = storeRevision(tx)
			return read(tx)
		})
	})
	switch {
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return 0, ErrClosed
	case errors.Is(err, errPanicked):
		b.history.stop(err)
	}
	if durable := b.history.reach(ctx, revision); durable != nil {
		return 0, durable
	}
	return revision, err
}

// write makes the changes of a Txn in one bbolt transaction. The caller has the
// turn to write.
func (b *Bolt) write(txn Txn) (change Change, err error) {
	err = guard(func() error {
		return b.db.Update(func(tx *bbolt.Tx) (err error) {
			change, err = apply(tx, txn)
			return err
		})
	})
	return change, err
}

// writeFailed decides whether the Store can go on after a failed write. It can if
// the change is not to be seen: bbolt shows a change only from its last step on.
func (b *Bolt) writeFailed(cause error) error {
	var visible uint64
	err := guard(func() error {
		return b.db.View(func(tx *bbolt.Tx) error {
			visible = storeRevision(tx)
			return nil
		})
	})
	reason := fmt.Errorf("%w: %w", ErrUnavailable, cause)
	if err != nil || visible != b.history.revision() || errors.Is(cause, errPanicked) {
		reason = fmt.Errorf("%w; the store must be opened again", reason)
		b.history.stop(reason)
	}
	return reason
}

// collect returns the entries under a prefix.
func collect(tx *bbolt.Tx, prefix string) ([]Entry, error) {
	var entries []Entry
	cursor := tx.Bucket([]byte(entriesBucket)).Cursor()
	for k, v := cursor.Seek([]byte(prefix)); bytes.HasPrefix(k, []byte(prefix)); k, v = cursor.Next() {
		e, err := decodeRecord(string(k), v)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// lookUp returns one entry, or ErrNotFound.
func lookUp(tx *bbolt.Tx, key string) (Entry, error) {
	record := tx.Bucket([]byte(entriesBucket)).Get([]byte(key))
	if record == nil {
		return Entry{}, ErrNotFound
	}
	return decodeRecord(key, record)
}

// storeRevision reads the newest revision; 0 before the first change.
func storeRevision(tx *bbolt.Tx) uint64 {
	return binary.BigEndian.Uint64(tx.Bucket([]byte(metaBucket)).Get([]byte(revisionKey)))
}
