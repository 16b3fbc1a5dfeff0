// Package metadatatest checks that an engine keeps the contract of
// [metadata.Store]. An engine's own test is one call of [Run] and whatever is
// particular to it.
package metadatatest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// scope begins all keys that the tests use.
const scope = "111122223333/us-east-1/"

// Run runs every test of the contract, each on an empty store that open makes for
// it. Run closes the stores.
func Run(t *testing.T, open func(t *testing.T) metadata.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, kit)
	}{
		{"get", testGet},
		{"values are copies", testValuesAreCopies},
		{"range", testRange},
		{"keys and prefixes are checked", testKeysAreChecked},
		{"conditions", testConditions},
		{"all or nothing", testAllOrNothing},
		{"transactions are checked", testTxnsAreChecked},
		{"limits can be reached", testLimits},
		{"revisions rise", testRevisionsRise},
		{"deleting nothing", testDeletingNothing},
		{"compare and set under contention", testContention},
		{"watch what has been", testWatchPast},
		{"watch what comes", testWatchFuture},
		{"watch from any revision", testWatchResumes},
		{"watch only a prefix", testWatchPrefix},
		{"watch beside writers without a gap", testWatchBesideWriters},
		{"watch ends with its context", testWatchContext},
		{"watch a revision not reached", testWatchUnreached},
		{"watched values are copies", testWatchedValuesAreCopies},
		{"closed", testClosed},
		{"context ended", testContextEnded},
		{"model", testModel},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			test.run(t, kit{ctx: ctx, t: t, store: openClosed(t, open)})
		})
	}
}

// openClosed opens a store that is closed at the end of the test.
func openClosed(t *testing.T, open func(t *testing.T) metadata.Store) metadata.Store {
	t.Helper()
	store := open(t)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return store
}

// kit is a store under test with what a test needs to speak briefly.
type kit struct {
	ctx   context.Context //nolint:containedctx // a kit lives as long as its test
	t     *testing.T
	store metadata.Store
}

// commit makes changes that must succeed.
func (k kit) commit(txn metadata.Txn) uint64 {
	k.t.Helper()
	revision, err := k.store.Commit(k.ctx, txn)
	if err != nil {
		k.t.Fatalf("Commit(%+v): %v", txn, err)
	}
	return revision
}

// put writes one entry under the test's scope.
func (k kit) put(name, value string) uint64 {
	k.t.Helper()
	return k.commit(putting(name, value))
}

// delete removes one.
func (k kit) delete(name string) uint64 {
	k.t.Helper()
	return k.commit(metadata.Txn{Deletes: []string{scope + name}})
}

// contents renders what Range returns as "name=value@revision".
func (k kit) contents(prefix string) []string {
	k.t.Helper()
	entries, _, err := k.store.Range(k.ctx, prefix)
	if err != nil {
		k.t.Fatalf("Range(%q): %v", prefix, err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, render(e))
	}
	return all
}

func putting(name, value string) metadata.Txn {
	return metadata.Txn{Puts: []metadata.KeyValue{{Key: scope + name, Value: []byte(value)}}}
}

func entry(name, value string, revision uint64) metadata.Entry {
	return metadata.Entry{Key: scope + name, Value: []byte(value), Revision: revision}
}

func render(e metadata.Entry) string {
	return fmt.Sprintf("%s=%s@%d", e.Key, e.Value, e.Revision)
}
