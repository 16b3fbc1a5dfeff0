package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// formatVersion is that of the file's buckets and records.
const formatVersion = 1

// The file's two buckets, and the keys of the first. The room is there only while
// the store tries whether it can write again, or after a crash at that moment.
const (
	metaBucket    = "meta"
	entriesBucket = "entries"

	formatKey   = "format"
	revisionKey = "revision"
	roomKey     = "room"
)

// minFileSize is that of an empty bbolt file: four pages, of 4 KiB or more.
const minFileSize = 4 * 4096

// errPanicked says that bbolt gave up in the middle: its locks and its view of the
// file cannot be relied on any more.
var errPanicked = fmt.Errorf("%w: bbolt panicked", ErrCorrupt)

// errReplaced says that the file lost its name to another one while its lock was
// waited for.
var errReplaced = fmt.Errorf("%w: another process replaced the file meanwhile", ErrUnavailable)

// errLaterVersion begins the error for a format version that is not known.
var errLaterVersion = fmt.Errorf("%w: the file", ErrCorrupt)

// guard turns what bbolt does on damaged pages, panics and faults on memory that
// the file is too short for, into errPanicked.
func guard(fn func() error) error { return guardAs(errPanicked, fn) }

// guardAs is guard with another error than errPanicked.
func guardAs(panicked error, fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", panicked, r)
		}
	}()
	return fn()
}

// boltFile is a metadata file that is open, locked and checked.
type boltFile struct {
	db   *bbolt.DB
	file *os.File // db's own, to give up its lock when db cannot be closed
}

// position is a state of a metadata file.
type position struct {
	revision uint64
	txid     int // bbolt's number of the transaction that made it
}

// lockBoltFile is openBoltFile for the file that has the name in the end: every
// process that opens it replaces it.
func lockBoltFile(path string, timeout time.Duration) (f boltFile, at position, err error) {
	deadline := time.Now().Add(timeout)
	for {
		f, at, err = openBoltFile(path, timeout)
		timeout = time.Until(deadline)
		if !errors.Is(err, errReplaced) || timeout <= 0 {
			return f, at, err
		}
	}
}

// openBoltFile opens, locks and checks a file. On an error nothing stays open.
func openBoltFile(path string, lockTimeout time.Duration) (f boltFile, at position, err error) {
	err = guard(func() (err error) {
		f.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, OpenFile: f.openFile})
		if err != nil {
			return explainOpen(err, path, lockTimeout)
		}
		if err := f.stillAt(path); err != nil {
			return err
		}
		return f.db.View(func(tx *bbolt.Tx) (err error) {
			at.txid = tx.ID()
			at.revision, err = f.verify(tx)
			return err
		})
	})
	if err != nil {
		f.abandon(err)
		return boltFile{}, position{}, err
	}
	return f, at, nil
}

// openFile keeps the file that bbolt opens, and does not let it make a new one
// of nothing: an empty file where metadata should be is a loss to be reported.
func (f *boltFile) openFile(path string, flag int, mode os.FileMode) (*os.File, error) {
	file, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	f.file = file
	info, err := file.Stat()
	if err == nil && info.Size() < minFileSize {
		err = fmt.Errorf("%w: the file has only %d bytes", ErrCorrupt, info.Size())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// stillAt checks that the file that was locked is the one that has the name: a
// process that opens it, or recovers from a failed write, replaces its file.
func (f *boltFile) stillAt(path string) error {
	mine, err := f.file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(mine, named) {
		return errReplaced
	}
	return nil
}

// abandon frees what a failed open holds. After a panic only the file, and with it
// the lock, can be let go; the memory mapping is lost until the process ends.
func (f *boltFile) abandon(cause error) {
	switch {
	case errors.Is(cause, errPanicked) && f.file != nil:
		_ = f.file.Close()
	case f.db != nil:
		_ = f.db.Close()
	}
}

func explainOpen(err error, path string, lockTimeout time.Duration) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: it is open in process %s (waited %v)", ErrUnavailable, lockHolder(path), lockTimeout)
	case errors.Is(err, bolterrors.ErrInvalid),
		errors.Is(err, bolterrors.ErrVersionMismatch),
		errors.Is(err, bolterrors.ErrChecksum):
		return fmt.Errorf("%w: not a bbolt file, or damaged: %w", ErrCorrupt, err)
	}
	return err
}

// withRemedy says what to do about a file that is damaged. One of a later version
// is not, and has its own advice.
func withRemedy(err error) error {
	if !errors.Is(err, ErrCorrupt) || errors.Is(err, errLaterVersion) {
		return err
	}
	return fmt.Errorf("%w; keep the file, and restore the metadata from a backup: strongroom restore --metadata-only", err)
}

// verify checks the file's length, format and every record.
func (f *boltFile) verify(tx *bbolt.Tx) (revision uint64, err error) {
	info, err := f.file.Stat()
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
		return fmt.Errorf("%w has format version %d and this program knows only %d; use the program that wrote it",
			errLaterVersion, v, formatVersion)
	}
	return nil
}
