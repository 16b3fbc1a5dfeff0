package metadata

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// TestUnknownChangeIsSettled fails the last sync of a change: it is found out, from a
// copy that was synced, whether the change was made.
func TestUnknownChangeIsSettled(t *testing.T) {
	tests := map[string]struct {
		failure failure
		made    bool
	}{
		"the disk has it":           {kept, true},
		"the disk does not have it": {dropped, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := openTest(t)
			first := mustCommit(t, b, "1")
			old := inode(t, b.path)
			d := failing(b)
			d.set(test.failure)
			revision, err := b.Commit(t.Context(), txnOf("2"))
			if test.made && (err != nil || revision != first+1) || !test.made && !errors.Is(err, ErrUnavailable) {
				t.Errorf("Commit: revision %d, %v; made: %v", revision, err, test.made)
			}
			d.set(works)
			if err := b.Healthy(); err != nil {
				t.Errorf("Healthy after it was settled: %v", err)
			}
			last := mustCommit(t, b, "3")
			want := []string{"2", "3"}
			if !test.made {
				want = want[1:]
			}
			if diff := cmp.Diff(want, watchUntil(t, b, first, last)); diff != "" {
				t.Errorf("Watch (-want +got):\n%s", diff)
			}
			if inode(t, b.path) == old {
				t.Error("the store goes on with the file whose sync failed")
			}
			expectOnlyFile(t, b.path)
			expectLocked(t, b.path)
		})
	}
}

// TestUnknownChangeOutlastsAnOutage keeps the copy from being made for a while: until
// it is, nobody may see the change or make another, and a Watch goes on.
func TestUnknownChangeOutlastsAnOutage(t *testing.T) {
	for name, f := range map[string]failure{"made": kept, "lost": dropped} {
		t.Run(name, func(t *testing.T) {
			b := openTest(t)
			first := mustCommit(t, b, "1")
			seen := make(chan []string, 1)
			go func() {
				var values []string
				for c, err := range b.Watch(t.Context(), scopeOf(testKey), first) {
					if err != nil {
						break
					}
					values = append(values, string(c.Events[0].Entry.Value))
					if values[len(values)-1] == "last" {
						break
					}
				}
				seen <- values
			}()
			d := failing(b)
			d.set(f)
			away := outOfReach(t, b.path)
			if _, err := b.Commit(t.Context(), txnOf("2")); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Commit: %v, want ErrUnavailable", err)
			}
			d.set(works)
			for call, err := range map[string]error{
				"Get":    errorOf(b.Get(t.Context(), testKey)),
				"Commit": errorOf(b.Commit(t.Context(), txnOf("3"))),
				"Health": b.Healthy(),
			} {
				if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), b.path) {
					t.Errorf("%s while it is not known: %v, want ErrUnavailable and the file", call, err)
				}
			}
			away()
			awaitHealthy(t, b)
			last := mustCommit(t, b, "last")
			want := map[failure][]string{kept: {"2", "last"}, dropped: {"last"}}[f]
			if diff := cmp.Diff(want, <-seen); diff != "" {
				t.Errorf("Watch (-want +got):\n%s", diff)
			}
			if want := first + uint64(len(want)); last != want {
				t.Errorf("the newest revision is %d, want %d", last, want)
			}
			expectLocked(t, b.path)
		})
	}
}

// TestReaderOfALostChange has a reader see a change whose sync then fails, and which
// turns out to be lost when another has its revision.
func TestReaderOfALostChange(t *testing.T) {
	b := openTest(t)
	mustCommit(t, b, "1")
	epoch := b.history.epoch()
	waiting := make(chan error, 1)
	go func() { waiting <- b.history.reach(t.Context(), 2, epoch) }()
	d := failing(b)
	d.set(dropped)
	if _, err := b.Commit(t.Context(), txnOf("lost")); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	d.set(works)
	mustCommit(t, b, "2")
	if err := <-waiting; !errors.Is(err, errSettled) && !errors.Is(err, ErrUnavailable) {
		t.Errorf("who saw the lost change is told %v, want to read again", err)
	}
	if err := b.history.reach(t.Context(), 2, epoch); !errors.Is(err, errSettled) {
		t.Errorf("who saw the lost change is told %v, want to read again", err)
	}
	if e, err := b.Get(t.Context(), testKey); string(e.Value) != "2" || err != nil {
		t.Errorf("Get: %q, %v, want 2", e.Value, err)
	}
}

// TestRefusedWritesEndByThemselves has no Commit find out that the disk is well again.
func TestRefusedWritesEndByThemselves(t *testing.T) {
	b := openTest(t)
	first := mustCommit(t, b, "1")
	old := inode(t, b.path)
	d := failing(b)
	d.set(refused)
	for range 3 {
		if _, err := b.Commit(t.Context(), txnOf("2")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Commit: %v, want ErrUnavailable", err)
		}
		if e, err := b.Get(t.Context(), testKey); string(e.Value) != "1" || err != nil {
			t.Errorf("Get: %q, %v, want 1: nothing was written", e.Value, err)
		}
	}
	if err := b.Healthy(); !errors.Is(err, ErrUnavailable) || !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), b.path) {
		t.Errorf("Healthy: %v, want ErrUnavailable with the file and the cause", err)
	}
	d.set(works)
	awaitHealthy(t, b)
	if next := mustCommit(t, b, "3"); next != first+1 {
		t.Errorf("the next revision is %d, want %d", next, first+1)
	}
	if inode(t, b.path) != old {
		t.Error("the file was replaced though nothing was unknown")
	}
}

// TestRoomForTheChangeThatFailed leaves a full disk with room for less than the change
// that failed: health must not come back before there is enough.
func TestRoomForTheChangeThatFailed(t *testing.T) {
	b := openTest(t)
	mustCommit(t, b, "1")
	var attempts atomic.Int32
	b.update = func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
		attempts.Add(1)
		err := db.Update(fn)
		if errors.Is(err, bolterrors.ErrMaxSizeReached) {
			err = &os.PathError{Op: "write", Path: b.path, Err: syscall.ENOSPC}
		}
		return err
	}
	b.db.MaxSize = MaxValueSize / 2
	large := txnOf(strings.Repeat("x", MaxValueSize))
	if _, err := b.Commit(t.Context(), large); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	for attempts.Load() < 5 {
		time.Sleep(time.Millisecond)
		if err := b.Healthy(); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("Healthy without room: %v", err)
		}
	}
	if err := b.lockWriter(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.db.MaxSize = 0
	b.unlockWriter()
	awaitHealthy(t, b)
	if revision, err := b.Commit(t.Context(), large); revision != 2 || err != nil {
		t.Errorf("Commit with room: revision %d, %v, want 2", revision, err)
	}
	closeNow(t, b)
	b = openAt(t, b.path)
	if err := b.db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte(metaBucket)).Get([]byte(roomKey)) != nil {
			return errors.New("room is still held")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestAttemptThatFailsItself has the attempt to write again, after a refused write,
// leave the disk in doubt.
func TestAttemptThatFailsItself(t *testing.T) {
	b := openTest(t)
	mustCommit(t, b, "1")
	d := failing(b)
	d.set(refused)
	if _, err := b.Commit(t.Context(), txnOf("2")); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	old := inode(t, b.path)
	d.set(kept)
	awaitHealthy(t, b)
	d.set(works)
	if inode(t, b.path) == old {
		t.Error("the store goes on with the file whose sync failed")
	}
	if revision := mustCommit(t, b, "2"); revision != 2 {
		t.Errorf("the next revision is %d, want 2", revision)
	}
}

// TestRandomFailures makes changes on a disk that fails at random. What was
// acknowledged is there, what was refused is there or not, and a Watch tells the same.
func TestRandomFailures(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's choices are no secrets
	path := filepath.Join(t.TempDir(), "metadata.db")
	b := openAt(t, path)
	d := failing(b)
	watched, shown := map[string]string{}, uint64(0)
	acknowledged := map[string]string{}
	var lastRevision uint64
	for i := range 150 {
		d.set(failure(random.IntN(int(dropped) + 1)))
		key, value := fmt.Sprintf("%s%d", testKey, random.IntN(5)), fmt.Sprint(i)
		revision, err := b.Commit(t.Context(), Txn{Puts: []KeyValue{{Key: key, Value: []byte(value)}}})
		d.set(works)
		switch {
		case err == nil && revision <= lastRevision:
			t.Fatalf("revision %d after %d", revision, lastRevision)
		case err == nil:
			acknowledged[key], lastRevision = value, revision
		case !errors.Is(err, ErrUnavailable):
			t.Fatalf("Commit: %v", err)
		}
		shown = takeIn(t, b, watched, shown)
		if diff := cmp.Diff(acknowledged, watched); diff != "" {
			t.Fatalf("acknowledged and watched (-want +got):\n%s", diff)
		}
	}
	closeNow(t, b)
	b = openAt(t, path)
	entries, _, err := b.Range(t.Context(), scopeOf(testKey))
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]string{}
	for _, e := range entries {
		stored[e.Key] = string(e.Value)
	}
	if diff := cmp.Diff(watched, stored); diff != "" {
		t.Errorf("watched and stored (-want +got):\n%s", diff)
	}
}

// TestDamageFoundWhileCopying has a failed sync make the store read all of its file,
// in which a record is damaged: no copy can be made of it, however often it is tried.
func TestDamageFoundWhileCopying(t *testing.T) {
	b := openTest(t)
	mustCommit(t, b, "1")
	if err := b.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(entriesBucket)).Put([]byte("damaged"), []byte("x")) }); err != nil {
		t.Fatal(err)
	}
	failing(b).set(kept)
	if _, err := b.Commit(t.Context(), txnOf("2")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Commit: %v, want ErrUnavailable", err)
	}
	for call, err := range map[string]error{"Healthy": b.Healthy(), "Get": errorOf(b.Get(t.Context(), testKey))} {
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "restore the metadata") {
			t.Errorf("%s: %v, want ErrCorrupt and what to do", call, err)
		}
	}
	expectOnlyFile(t, b.path)
}

// TestPanicWhileCopying has bbolt give up on the copy, which is not the Store's fault.
func TestPanicWhileCopying(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metadata.db")
	_, err := writeDraft(path, 1, func(func(Entry, error) bool) { panic("as bbolt does on a failing disk") })
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrCorrupt) {
		t.Errorf("writeDraft: %v, want ErrUnavailable", err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) > 0 {
		t.Errorf("left over: %v, %v", files, err)
	}
}
