package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		writeUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// fixed returns options whose journals have the same bytes each time.
func fixed(dir string) Options {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	return Options{
		Dir: dir, SegmentSize: minSegmentSize, FirstSegmentSize: minSegmentSize,
		now: func() time.Time {
			now = now.Add(time.Millisecond)
			return now
		},
		newID: func() ID { return ID([]byte("journal-id-16byt")) },
		retry: 5 * time.Millisecond,
	}
}

func mustOpen(t testing.TB, o Options) (*Journal, Recovery) {
	t.Helper()
	j, found, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return j, found
}

func mustAppend(t testing.TB, j *Journal, bodies ...string) uint64 {
	t.Helper()
	var entries []Entry
	for _, b := range bodies {
		entries = append(entries, Entry{Kind: 7, Body: []byte(b)})
	}
	first, err := j.Append(t.Context(), entries...)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func mustClose(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func mustVerify(t testing.TB, dir string) Report {
	t.Helper()
	r, err := Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// bodies returns what Read finds, and its error.
func bodies(dir string, from uint64) (list []string, err error) {
	for r, err := range Read(dir, from) {
		if err != nil {
			return list, err
		}
		list = append(list, string(r.Body))
	}
	return list, nil
}

// copyDir copies the files of a journal, as a power cut would leave them. One that is open
// may rename a file that it has prepared meanwhile, and then they are copied anew.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	for {
		to := t.TempDir()
		err := os.CopyFS(to, os.DirFS(from))
		if err == nil {
			return to
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

func editFile(t testing.TB, path string, edit func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, edit(bytes.Clone(b)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func numbered(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("record %d", i+1))
	}
	return list
}

func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
