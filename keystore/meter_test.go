package keystore

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

var testScope = scope{account: "000000000000", region: "us-east-1"}

func openStore(t *testing.T, path string) *metadata.Bolt {
	t.Helper()
	store, err := metadata.OpenBolt(path, metadata.BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func meteredKey() (*key, hsmpool.ObjectID) {
	id := hsmpool.ObjectID{1, 2, 3}
	k := &key{id: uuid.New(), backing: []hsmpool.ObjectID{id}}
	k.arn = testScope.keyARN(k.id)
	return k, id
}

func takeMany(t *testing.T, m *meter, k *key, id hsmpool.ObjectID, n int) {
	t.Helper()
	for i := range n {
		if err := m.take(t.Context(), k, id); err != nil {
			t.Fatalf("take %d: %v", i+1, err)
		}
	}
}

func persisted(t *testing.T, m *meter, id hsmpool.ObjectID) uint64 {
	t.Helper()
	n, _, err := m.read(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMeterPersistsARangeBeforeItsNumbersAreUsed(t *testing.T) {
	t.Parallel()
	m := newMeter(testScope, openStore(t, filepath.Join(t.TempDir(), "db")), 0)
	k, id := meteredKey()
	taken := 0
	for _, want := range []uint64{firstRange, 3 * firstRange, 7 * firstRange} {
		takeMany(t, m, k, id, int(want)-taken)
		taken = int(want)
		if got := persisted(t, m, id); got != want {
			t.Fatalf("after %d uses %d are persisted, want %d", taken, got, want)
		}
	}
}

func TestMeterAfterACrashUsesNoNumberTwice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	store := openStore(t, path)
	k, id := meteredKey()
	takeMany(t, newMeter(testScope, store, 0), k, id, 5) // and nothing given back
	m := newMeter(testScope, store, 0)
	takeMany(t, m, k, id, 1)
	if got := m.counter(id).next; got != firstRange+1 {
		t.Errorf("the next number is %d, want %d: those of the lost range may have been used", got, firstRange+1)
	}
}

func TestMeterGivesBackWhatIsLeft(t *testing.T) {
	t.Parallel()
	m := newMeter(testScope, openStore(t, filepath.Join(t.TempDir(), "db")), 0)
	k, id := meteredKey()
	takeMany(t, m, k, id, 5)
	if err := m.giveBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := persisted(t, m, id); got != 5 {
		t.Errorf("%d uses are persisted, want the 5 that were made", got)
	}
}

func TestMetersOfTwoReplicasShareNoNumber(t *testing.T) {
	t.Parallel()
	store := openStore(t, filepath.Join(t.TempDir(), "db"))
	k, id := meteredKey()
	const replicas, each = 4, 5000
	var work sync.WaitGroup
	meters := make([]*meter, replicas)
	for i := range meters {
		meters[i] = newMeter(testScope, store, 0)
		work.Go(func() {
			for range each {
				if err := meters[i].take(context.Background(), k, id); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	if got := persisted(t, meters[0], id); got < replicas*each {
		t.Errorf("%d uses are persisted, fewer than the %d made", got, replicas*each)
	}
}

func TestMeterStopsAtTheLimit(t *testing.T) {
	t.Parallel()
	m := newMeter(testScope, openStore(t, filepath.Join(t.TempDir(), "db")), 8)
	k, id := meteredKey()
	takeMany(t, m, k, id, 5)
	if m.isWorn(id) || len(m.wear) != 0 {
		t.Error("reported before three quarters")
	}
	takeMany(t, m, k, id, 3)
	if !m.isWorn(id) || <-m.wear != k {
		t.Error("not reported at three quarters")
	}
	err := m.take(t.Context(), k, id)
	if err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_KEY_UNAVAILABLE {
		t.Errorf("the use past the limit gave %v", err)
	}
}
