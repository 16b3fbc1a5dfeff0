package metadata_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// writerEnv makes the test binary the writer on the metadata file that it names.
const writerEnv = "STRONGROOM_TEST_METADATA_WRITER"

// TestKilledWriter kills a process with -9 in the middle of its commits and expects
// to find every commit that it had been told of.
func TestKilledWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metadata.db")
	for _, commits := range []int{1, 2, 30} {
		acknowledged := killWriterAfter(t, path, commits)
		store := open(t, path, metadata.BoltOptions{LockTimeout: waitLong})
		entry, err := store.Get(t.Context(), scope+"counter")
		if err != nil {
			t.Fatalf("after a kill: %v", err)
		}
		count, err := strconv.ParseUint(string(entry.Value), 10, 64)
		if err != nil || count < acknowledged || count != entry.Revision {
			t.Errorf("the counter is at %q, revision %d, want at least %d", entry.Value, entry.Revision, acknowledged)
		}
		closeStore(t, store)
	}
}

// killWriterAfter starts a writer, kills it after some commits and returns the last
// that it reported.
func killWriterAfter(t *testing.T, path string, commits int) (last uint64) {
	t.Helper()
	writer := exec.CommandContext(t.Context(), os.Args[0])
	writer.Env = append(os.Environ(), writerEnv+"="+path)
	writer.Stderr = os.Stderr
	reports, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(reports)
	for n := 0; lines.Scan(); n++ {
		if n == commits {
			_ = writer.Process.Kill()
		}
		if last, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
			t.Fatalf("the writer says %q", lines.Text())
		}
	}
	if err := writer.Wait(); err == nil {
		t.Fatal("the writer ended by itself")
	}
	return last
}

// writeForever sets a counter to each next revision and prints it once committed.
func writeForever(path string) {
	store, err := metadata.OpenBolt(path, metadata.BoltOptions{LockTimeout: waitLong})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	entry, _ := store.Get(context.Background(), scope+"counter")
	for revision := entry.Revision; ; {
		value := strconv.FormatUint(revision+1, 10)
		revision, err = store.Commit(context.Background(), metadata.Txn{
			Conditions: []metadata.Condition{{Key: scope + "counter", Revision: revision}},
			Puts:       []metadata.KeyValue{{Key: scope + "counter", Value: []byte(value)}},
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Println(revision)
	}
}
