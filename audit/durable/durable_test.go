package durable

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestMakeDir syncs the directory that each new name is in, the outermost first.
func TestMakeDir(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var synced []string
	record := func(dir string) error {
		synced = append(synced, strings.TrimPrefix(dir, root))
		return SyncDir(dir)
	}
	inner := filepath.Join(root, "a", "b", "c")
	must(t, MakeDir(inner, 0o700, record))
	if want := []string{"", "/a", "/a/b"}; !slices.Equal(synced, want) {
		t.Errorf("synced %q, want %q", synced, want)
	}
	must(t, MakeDir(inner, 0o700, func(string) error { return errors.New("nothing is new") }))
	if err := MakeDir(filepath.Join(root, "d"), 0o700, func(string) error { return syscall.EIO }); !errors.Is(err, syscall.EIO) {
		t.Errorf("a directory whose name cannot be synced: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(root, "file"), nil, 0o600))
	if err := MakeDir(filepath.Join(root, "file"), 0o700, SyncDir); err == nil || !strings.Contains(err.Error(), "no directory") {
		t.Errorf("in the place of a file: %v", err)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, content := range []string{"the first one", "the next"} {
		must(t, Replace(path, 0o600, []byte(content)))
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%q, %v; want %q", got, err, content)
		}
	}
	occupied := filepath.Join(dir, "directory")
	must(t, os.MkdirAll(filepath.Join(occupied, "inside"), 0o700))
	if err := Replace(occupied, 0o600, nil); err == nil {
		t.Error("a directory was replaced by a file")
	}
	if names, err := filepath.Glob(filepath.Join(dir, "*.tmp")); err != nil || len(names) > 0 {
		t.Errorf("left behind: %q, %v", names, err)
	}
}
