package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/strongroom-kms/strongroom/audit/durable"
)

// CreateBolt makes the metadata file at path, with these entries and at this
// revision, which none of theirs is beyond. The file is there, whole and durable,
// when CreateBolt returns nil; otherwise it is not. If there is a file at path the
// error is [fs.ErrExist].
func CreateBolt(path string, revision uint64, entries iter.Seq2[Entry, error]) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("creating metadata file %s: %w", path, fs.ErrExist)
	}
	err := create(path, revision, checked(revision, entries))
	if err == nil {
		if err = durable.SyncDir(filepath.Dir(path)); err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return fmt.Errorf("creating metadata file %s: %w", path, err)
	}
	return nil
}

// checked passes entries on that a store can have.
func checked(revision uint64, entries iter.Seq2[Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range entries {
			if err == nil {
				err = e.check(revision)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func (e Entry) check(newest uint64) error {
	switch {
	case e.Revision == 0 || e.Revision > newest:
		return fmt.Errorf("%w: %.64q is at revision %d, the store at %d", ErrInvalid, e.Key, e.Revision, newest)
	case len(e.Value) > MaxValueSize:
		return fmt.Errorf("%w: the value of %.64q is %d bytes long, more than %d", ErrInvalid, e.Key, len(e.Value), MaxValueSize)
	}
	return CheckKey(e.Key)
}

// createIfMissing makes an empty metadata file, and its directory, unless there is a
// file at path. The file appears there complete or not at all. Of two processes that
// do this at once one may have its draft removed by the other, in [Bolt.renew]; they
// end up with the same file. In any case its name is durable when nil is returned.
func createIfMissing(path string) error {
	if err := durable.MakeDir(filepath.Dir(path), 0o700, durable.SyncDir); err != nil {
		return err
	}
	if missing(path) {
		if err := create(path, 0, noEntries); err != nil && missing(path) {
			return err
		}
	}
	return durable.SyncDir(filepath.Dir(path))
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// create makes a file under another name and links it to path.
func create(path string, revision uint64, entries iter.Seq2[Entry, error]) error {
	draft, err := writeDraft(path, revision, entries)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft) }()
	return os.Link(draft, path)
}

// draftSuffix is what the names of drafts have after that of the file, before
// something random.
const draftSuffix = ".new-"

// errDraft says that bbolt gave up on a draft. What it was made of is not at fault.
var errDraft = fmt.Errorf("%w: bbolt panicked on a new file", ErrUnavailable)

// writeDraft writes a store to a new file beside path, syncs it and returns its
// name. The caller gives it another one or removes it.
func writeDraft(path string, revision uint64, entries iter.Seq2[Entry, error]) (name string, err error) {
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+draftSuffix+"*")
	if err != nil {
		return "", err
	}
	err = guardAs(errDraft, func() error { return fill(draft, revision, entries) })
	if err != nil {
		_ = draft.Close() // bbolt has closed it, unless it panicked
		return "", errors.Join(err, removeIfThere(draft.Name()))
	}
	return draft.Name(), nil
}

// removeDrafts removes all drafts of a file.
func removeDrafts(path string) error {
	files, err := os.ReadDir(filepath.Dir(path))
	for _, f := range files {
		if strings.HasPrefix(f.Name(), filepath.Base(path)+draftSuffix) {
			err = errors.Join(err, removeIfThere(filepath.Join(filepath.Dir(path), f.Name())))
		}
	}
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fill writes a store into an empty file, syncs it once, at the end, and closes it.
func fill(file *os.File, revision uint64, entries iter.Seq2[Entry, error]) error {
	opened := func(string, int, os.FileMode) (*os.File, error) { return file, nil }
	db, err := bbolt.Open(file.Name(), 0o600, &bbolt.Options{Timeout: defaultLockTimeout, NoSync: true, NoGrowSync: true, OpenFile: opened})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error { return initialize(tx, revision) })
	if err == nil {
		err = putAll(db, entries)
	}
	if err == nil {
		err = db.Sync()
	}
	return errors.Join(err, db.Close())
}

// initialize makes the buckets of a store without entries.
func initialize(tx *bbolt.Tx, revision uint64) error {
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
	return putRevision(tx, revision)
}

// entriesPerTx bounds the memory that a transaction of putAll takes: at most so
// many values of MaxValueSize.
const entriesPerTx = 256

// putAll writes the entries in several transactions.
func putAll(db *bbolt.DB, entries iter.Seq2[Entry, error]) error {
	next, stop := iter.Pull2(entries)
	defer stop()
	for more := true; more; {
		err := db.Update(func(tx *bbolt.Tx) (err error) {
			more, err = putSome(tx.Bucket([]byte(entriesBucket)), next)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// putSome writes the next entries and returns whether there may be more.
func putSome(bucket *bbolt.Bucket, next func() (Entry, error, bool)) (more bool, err error) {
	for range entriesPerTx {
		e, err, ok := next()
		if err != nil || !ok {
			return false, err
		}
		if err := bucket.Put([]byte(e.Key), encodeRecord(e)); err != nil {
			return false, fmt.Errorf("putting %q: %w", e.Key, err)
		}
	}
	return true, nil
}

func noEntries(func(Entry, error) bool) {}
