package metadata

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// errUnchanged rolls back a transaction that would change nothing.
var errUnchanged = errors.New("nothing to change")

// apply checks a Txn's conditions and makes its changes at the next revision. It
// returns ErrConflict or errUnchanged to have the transaction undone.
func apply(tx *bbolt.Tx, txn Txn) (Change, error) {
	for _, c := range txn.Conditions {
		if err := c.check(tx); err != nil {
			return Change{}, err
		}
	}
	change := Change{Revision: storeRevision(tx) + 1}
	if err := change.deletes(tx, txn.Deletes); err != nil {
		return Change{}, err
	}
	if err := change.puts(tx, txn.Puts); err != nil {
		return Change{}, err
	}
	if len(change.Events) == 0 {
		return Change{}, errUnchanged
	}
	slices.SortFunc(change.Events, func(a, b Event) int { return cmp.Compare(a.Entry.Key, b.Entry.Key) })
	return change, putRevision(tx, change.Revision)
}

func (c Condition) check(tx *bbolt.Tx) error {
	entry, err := lookUp(tx, c.Key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if entry.Revision != c.Revision {
		return fmt.Errorf("%w: %q is at revision %d, not %d", ErrConflict, c.Key, entry.Revision, c.Revision)
	}
	return nil
}

func (c *Change) deletes(tx *bbolt.Tx, keys []string) error {
	bucket := tx.Bucket([]byte(entriesBucket))
	for _, key := range keys {
		if bucket.Get([]byte(key)) == nil {
			continue
		}
		if err := bucket.Delete([]byte(key)); err != nil {
			return fmt.Errorf("deleting %q: %w", key, err)
		}
		c.Events = append(c.Events, Event{Kind: Delete, Entry: Entry{Key: key, Revision: c.Revision}})
	}
	return nil
}

func (c *Change) puts(tx *bbolt.Tx, pairs []KeyValue) error {
	bucket := tx.Bucket([]byte(entriesBucket))
	for _, p := range pairs {
		e := Entry{Key: p.Key, Value: bytes.Clone(p.Value), Revision: c.Revision}
		if err := bucket.Put([]byte(p.Key), encodeRecord(e)); err != nil {
			return fmt.Errorf("putting %q: %w", p.Key, err)
		}
		c.Events = append(c.Events, Event{Kind: Put, Entry: e})
	}
	return nil
}

func putRevision(tx *bbolt.Tx, revision uint64) error {
	if err := tx.Bucket([]byte(metaBucket)).Put([]byte(revisionKey), binary.BigEndian.AppendUint64(nil, revision)); err != nil {
		return fmt.Errorf("writing revision %d: %w", revision, err)
	}
	return nil
}

// leastRoom is what any change may need beside its own bytes, in bytes: the pages
// that lead to its own are written anew.
const leastRoom = 16 << 10

// takeRoom takes as much room in the file as a change of so many bytes needs. Until
// giveRoom it is held by a value that says nothing.
func takeRoom(size int) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(metaBucket)).Put([]byte(roomKey), make([]byte, leastRoom+size))
	}
}

// giveRoom leaves what takeRoom took to the next change. Without that it changes
// nothing to be seen, and needs of the disk what every change needs.
func giveRoom(tx *bbolt.Tx) error {
	if err := tx.Bucket([]byte(metaBucket)).Delete([]byte(roomKey)); err != nil {
		return fmt.Errorf("giving room back: %w", err)
	}
	return putRevision(tx, storeRevision(tx))
}
