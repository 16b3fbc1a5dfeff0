package metadata

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
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

	retry time.Duration // first pause between attempts to write again
}

const (
	defaultLockTimeout = time.Second
	defaultMaxChanges  = 4096
	maxHistorySize     = 16 << 20
	defaultRetry       = 500 * time.Millisecond
	// maxRetryFactor bounds the pauses: the longest is so many times the first.
	maxRetryFactor = 20
)

// Bolt is a [Store] in one bbolt file, for one process. A Commit costs one or two
// fdatasync calls and Commits take turns; reads go on beside them.
//
// Changes for Watch are kept in memory only: after a restart those before it are
// compacted. A write that fails is answered with [ErrUnavailable]; the Store tries
// by itself until it can write again, and Healthy says why it cannot. Where it is
// not known whether the disk has a change, reads are answered with ErrUnavailable
// too until that is settled: see rebuild. Only damage ends the Store for good.
type Bolt struct {
	path    string
	retry   time.Duration
	writer  chan struct{} // holds one element while nobody writes
	history *history
	// update is (*bbolt.DB).Update; tests make it fail as disks do.
	update func(*bbolt.DB, func(*bbolt.Tx) error) error

	swap sync.RWMutex // held for reading by readers of boltFile, which rebuild replaces
	boltFile

	// Of who has the turn to write:
	synced  int    // the bbolt transaction that the disk has
	unknown Change // the change of which it is not known; without events if there is none
	needed  int    // the size of the last change that failed, in bytes

	fault  fault
	stop   context.CancelFunc
	mended chan struct{} // closed when mend has ended

	closing  sync.Once
	closeErr error
}

var _ Store = (*Bolt)(nil)

// OpenBolt opens the metadata file at path, or makes it, and its directory. It
// reads through the whole file and returns [ErrCorrupt] if that is damaged, not a
// metadata file, or of a format version that it does not know, and [ErrUnavailable]
// if it cannot be written or another process keeps it open for longer than the
// LockTimeout.
func OpenBolt(path string, opts BoltOptions) (*Bolt, error) {
	opts = opts.withDefaults()
	if err := createIfMissing(path); err != nil {
		return nil, fmt.Errorf("creating metadata file %s: %w", path, err)
	}
	file, at, err := lockBoltFile(path, opts.LockTimeout)
	if err != nil {
		return nil, fmt.Errorf("opening metadata file %s: %w", path, withRemedy(err))
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &Bolt{
		path: path, retry: opts.retry, writer: make(chan struct{}, 1), update: (*bbolt.DB).Update,
		history: newHistory(at.revision, opts.MaxChanges, maxHistorySize), boltFile: file, synced: at.txid,
		fault: newFault(), stop: stop, mended: make(chan struct{}),
	}
	if err := b.renew(); err != nil {
		stop()
		b.abandon(err)
		return nil, fmt.Errorf("renewing metadata file %s: %w", path, withRemedy(err))
	}
	b.writer <- struct{}{}
	go b.mend(ctx)
	return b, nil
}

// renew replaces the file by a copy, before it is used. What is to be seen of it may
// be in the page cache alone, if the last process ended after a failed sync: pages
// that the kernel could not write it holds for clean, and no sync of the same file
// writes them again. Drafts that a process left when it was killed are removed: who
// has the lock is alone.
func (b *Bolt) renew() error {
	if err := removeDrafts(b.path); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	_, err := b.replaceFile()
	return err
}

func (o BoltOptions) withDefaults() BoltOptions {
	if o.LockTimeout <= 0 {
		o.LockTimeout = defaultLockTimeout
	}
	if o.MaxChanges <= 0 {
		o.MaxChanges = defaultMaxChanges
	}
	if o.retry <= 0 {
		o.retry = defaultRetry
	}
	return o
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
		b.needed = txn.size()
		if err = b.writeFailed(change, err); err != nil {
			return 0, fmt.Errorf("committing metadata: %w", err)
		}
		return change.Revision, nil
	}
	b.fault.clear()
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
		b.stop()
		<-b.mended
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
	if err := b.history.usable(); err != nil {
		b.unlockWriter()
		return err
	}
	return nil
}

func (b *Bolt) unlockWriter() { b.writer <- struct{}{} }

// view runs read on a snapshot and returns the snapshot's revision, once that is
// durable: bbolt shows a commit to readers shortly before its last sync is done.
// A snapshot with a change that then turns out to be lost is taken again.
func (b *Bolt) view(ctx context.Context, read func(*bbolt.Tx) error) (revision uint64, err error) {
	for {
		if err := errors.Join(ctx.Err(), b.history.usable()); err != nil {
			return 0, err
		}
		epoch := b.history.epoch()
		revision, err = b.snapshot(read)
		switch {
		case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
			return 0, ErrClosed
		case errors.Is(err, errPanicked):
			b.history.stop(err)
		}
		durable := b.history.reach(ctx, revision, epoch)
		if durable == nil {
			return revision, err
		}
		if !errors.Is(durable, errSettled) {
			return 0, durable
		}
	}
}

// snapshot runs read on what the file shows.
func (b *Bolt) snapshot(read func(*bbolt.Tx) error) (revision uint64, err error) {
	b.swap.RLock()
	defer b.swap.RUnlock()
	err = guard(func() error {
		return b.db.View(func(tx *bbolt.Tx) error {
			revision = storeRevision(tx)
			return read(tx)
		})
	})
	return revision, err
}

// write makes the changes of a Txn in one bbolt transaction. The caller has the
// turn to write. The change is returned also with an error, as far as it was made.
func (b *Bolt) write(txn Txn) (change Change, err error) {
	err = b.transact(func(tx *bbolt.Tx) (err error) {
		change, err = apply(tx, txn)
		return err
	})
	return change, err
}

// transact runs a bbolt transaction that writes.
func (b *Bolt) transact(fn func(*bbolt.Tx) error) error {
	var id int
	err := guard(func() error {
		return b.update(b.db, func(tx *bbolt.Tx) error {
			id = tx.ID()
			return fn(tx)
		})
	})
	if err == nil {
		b.synced = id
	}
	return err
}

// collect returns the entries under a prefix.
func collect(tx *bbolt.Tx, prefix string) ([]Entry, error) {
	var entries []Entry
	var failed error
	each(tx, prefix, func(e Entry, err error) bool {
		entries, failed = append(entries, e), err
		return err == nil
	})
	return entries, failed
}

// each yields the entries under a prefix until yield returns false. An error is
// yielded last.
func each(tx *bbolt.Tx, prefix string, yield func(Entry, error) bool) {
	cursor := tx.Bucket([]byte(entriesBucket)).Cursor()
	for k, v := cursor.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = cursor.Next() {
		e, err := decodeRecord(string(k), v)
		if !yield(e, err) || err != nil {
			return
		}
	}
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
