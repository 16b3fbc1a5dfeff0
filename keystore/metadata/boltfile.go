package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// formatVersion is that of the file's buckets and records.
const formatVersion = 1

// The file's two buckets, and the keys of the first.
const (
	metaBucket    = "meta"
	entriesBucket = "entries"

	formatKey   = "format"
	revisionKey = "revision"
)

// minFileSize is that of an empty bbolt file: four pages, of 4 KiB or more.
const minFileSize = 4 * 4096

// errPanicked says that bbolt gave up in the middle: its locks and its view of the
// file cannot be relied on any more.
var errPanicked = fmt.Errorf("%w: bbolt panicked", ErrCorrupt)

// guard turns what bbolt does on damaged pages, panics and faults on memory that
// the file is too short for, into errPanicked.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanicked, r)
		}
	}()
	return fn()
}

// createIfMissing makes an empty metadata file unless there is a file at path. The
// file appears there complete or not at all, and two processes that do this at
// once end up with the same one. In any case its name is durable afterwards.
func createIfMissing(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return err
		}
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// create makes the file under another name and links it to path, unless somebody
// else has been faster.
func create(path string) error {
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	if err := errors.Join(draft.Close(), initialize(draft.Name())); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// initialize writes a store without entries, at revision 0.
func initialize(path string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: defaultLockTimeout})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucket([]byte(entriesBucket)); err != nil {
			return err
		}
		meta, err := tx.CreateBucket([]byte(metaBucket))
		if err != nil {
			return err
		}
		if err := meta.Put([]byte(formatKey), binary.BigEndian.AppendUint64(nil, formatVersion)); err != nil {
			return err
		}
		return putRevision(tx, 0)
	})
	return errors.Join(err, db.Close())
}

// open opens and checks the file and returns its revision. On an error nothing
// stays open.
func (b *Bolt) open(lockTimeout time.Duration) (revision uint64, err error) {
	err = guard(func() (err error) {
		b.db, err = bbolt.Open(b.path, 0o600, &bbolt.Options{Timeout: lockTimeout, OpenFile: b.openFile})
		if err != nil {
			return explainOpen(err, lockTimeout)
		}
		return b.db.View(func(tx *bbolt.Tx) (err error) {
			revision, err = b.verify(tx)
			return err
		})
	})
	if err != nil {
		b.abandon(err)
		return 0, err
	}
	return revision, nil
}

// openFile keeps the file that bbolt opens, and does not let it make a new one
// of nothing: an empty file where metadata should be is a loss to be reported.
func (b *Bolt) openFile(path string, flag int, mode os.FileMode) (*os.File, error) {
	file, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	b.file = file
	info, err := file.Stat()
	if err == nil && info.Size() < minFileSize {
		err = fmt.Errorf("%w: the file has only %d bytes", ErrCorrupt, info.Size())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// abandon frees what a failed open holds. After a panic only the file, and with it
// the lock, can be let go; the memory mapping is lost until the process ends.
func (b *Bolt) abandon(cause error) {
	switch {
	case errors.Is(cause, errPanicked) && b.file != nil:
		_ = b.file.Close()
	case b.db != nil:
		_ = b.db.Close()
	}
}

func explainOpen(err error, lockTimeout time.Duration) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: another process has it open (waited %v)", ErrUnavailable, lockTimeout)
	case errors.Is(err, bolterrors.ErrInvalid),
		errors.Is(err, bolterrors.ErrVersionMismatch),
		errors.Is(err, bolterrors.ErrChecksum):
		return fmt.Errorf("%w: not a bbolt file, or damaged: %w", ErrCorrupt, err)
	}
	return err
}

// verify checks the file's length, format and every record.
func (b *Bolt) verify(tx *bbolt.Tx) (revision uint64, err error) {
	info, err := b.file.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() < tx.Size() {
		return 0, fmt.Errorf("%w: the file has been cut to %d bytes, it had %d", ErrCorrupt, info.Size(), tx.Size())
	}
	if err := verifyMeta(tx); err != nil {
		return 0, err
	}
	revision = storeRevision(tx)
	err = tx.Bucket([]byte(entriesBucket)).ForEach(func(k, v []byte) error {
		e, err := decodeRecord(string(k), v)
		if err == nil && e.Revision > revision {
			err = fmt.Errorf("%w: %q is at revision %d, the store only at %d", ErrCorrupt, k, e.Revision, revision)
		}
		return err
	})
	return revision, err
}

// verifyMeta checks that the file is a metadata file of the version known here.
func verifyMeta(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil || tx.Bucket([]byte(entriesBucket)) == nil ||
		len(meta.Get([]byte(formatKey))) != 8 || len(meta.Get([]byte(revisionKey))) != 8 {
		return fmt.Errorf("%w: a bbolt file, but not one with metadata of Strongroom", ErrCorrupt)
	}
	if v := binary.BigEndian.Uint64(meta.Get([]byte(formatKey))); v != formatVersion {
		return fmt.Errorf("%w: it has format version %d and this program knows only %d; use the program that wrote it",
			ErrCorrupt, v, formatVersion)
	}
	return nil
}
