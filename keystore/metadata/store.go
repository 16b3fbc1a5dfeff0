// Package metadata is where Strongroom keeps what it knows about keys: a small
// key-value store with atomic conditional changes and a feed of them. It holds
// neither key material nor anything that a caller encrypted, and it does not know
// what the values mean.
//
// [Store] is the contract. [Bolt], one file for one server process, is the engine
// that comes with it; package metadatatest checks that an engine keeps the
// contract. docs/formats/metadata.md describes the file.
package metadata

import (
	"context"
	"errors"
	"iter"
)

// Errors of every engine. They come wrapped, with the key or the file named.
var (
	// ErrNotFound says that no entry has the key.
	ErrNotFound = errors.New("no such metadata entry")

	// ErrConflict says that a condition of a Txn did not hold. Nothing changed.
	// Read again and decide anew.
	ErrConflict = errors.New("metadata has changed meanwhile")

	// ErrInvalid says that a key, prefix, Txn or revision is not acceptable.
	// Nothing changed, and trying again cannot help.
	ErrInvalid = errors.New("invalid metadata request")

	// ErrCompacted says that a Watch asks for changes that are no longer kept.
	// Range again and watch from its revision.
	ErrCompacted = errors.New("metadata changes are no longer kept")

	// ErrUnavailable says that the engine cannot read or write now.
	ErrUnavailable = errors.New("metadata is unavailable")

	// ErrCorrupt says that what is stored is damaged or not of a known format.
	ErrCorrupt = errors.New("metadata is corrupt")

	// ErrClosed says that the Store has been closed.
	ErrClosed = errors.New("metadata is closed")
)

// Store is a key-value store with one history: a revision number that rises with
// every change, by one or more, and never falls, not over a restart either. The
// first change makes a revision above zero.
//
// All methods are safe for concurrent use. They wait no longer than their context
// lives, and then return its error, except that a Commit that has begun to write
// finishes. Byte slices passed in are not kept, and those returned belong to the
// caller. Keys and prefixes must pass [CheckKey] and [CheckPrefix], else the error
// is [ErrInvalid].
//
// Reading is linearizable: after a Commit has returned, every Get, Range and Watch
// that begins sees it, and none sees a change that could still be undone by a
// crash.
type Store interface {
	// Get returns the entry with this key, or ErrNotFound.
	Get(ctx context.Context, key string) (Entry, error)

	// Range returns all entries whose keys begin with prefix, in the byte order of
	// their keys, as they were together at the revision that it returns.
	Range(ctx context.Context, prefix string) (entries []Entry, revision uint64, err error)

	// Commit makes all changes of a Txn, or none, and returns the revision that
	// they made. It is durable when Commit returns. A Txn that changes nothing,
	// because all it does is delete entries that do not exist, makes no revision:
	// Commit returns a present one. After an error other than ErrConflict,
	// ErrInvalid and ErrClosed the change may have been made or not: read.
	Commit(ctx context.Context, txn Txn) (revision uint64, err error)

	// Watch yields the changes to keys that begin with prefix and that were made
	// after a revision, in order and without a gap, and waits for more. The
	// revision is one that this store gave: by Range, Commit, or the last Change
	// seen; one that it has not reached is ErrInvalid. The sequence ends when the
	// consumer stops, or with an error after all changes it could yield:
	// ErrCompacted if changes that it should yield are no longer kept, ErrClosed,
	// or ctx's error. A slow consumer delays nobody, but may see ErrCompacted.
	Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[Change, error]

	// Healthy returns nil, or why changes cannot be stored now. It does not wait.
	Healthy() error

	// Close ends every Watch, waits for calls in progress and frees what the
	// Store holds. Later calls fail with ErrClosed; closing again does nothing.
	Close() error
}

// Entry is a key with its value.
type Entry struct {
	Key   string
	Value []byte
	// Revision is that of the entry's last change, above zero. It serves as the
	// condition of a later Txn.
	Revision uint64
}

// Change is what one Commit did, as far as a Watch asked for it. A consumer that
// takes in whole Changes always holds a state that the store really had.
type Change struct {
	Revision uint64
	// Events has at least one event and at most one for each key, in the byte
	// order of the keys.
	Events []Event
}

// Event is the change of one key.
type Event struct {
	Kind EventKind
	// Entry is the entry as put. Of a deleted one it has the key and the revision
	// of the deletion.
	Entry Entry
}

// EventKind tells puts from deletions.
type EventKind int

// The kinds of events. The zero EventKind is none of them.
const (
	Put EventKind = iota + 1
	Delete
)

// String returns "put" or "delete".
func (k EventKind) String() string {
	switch k {
	case Put:
		return "put"
	case Delete:
		return "delete"
	default:
		return "unknown"
	}
}
