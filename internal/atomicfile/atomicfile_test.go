package atomicfile_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/internal/atomicfile"
)

func content(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// wantDir checks that the directory has one file and that it has that text; or
// no file at all if text is empty.
func wantDir(t *testing.T, dir, text string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got += string(b)
	}
	if got != text {
		t.Errorf("the directory has %v with %q, want %q", entries, got, text)
	}
}

func TestWriteMakesTheFileWithItsPermissions(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := atomicfile.Write(path, atomicfile.Create, 0o640, content("new")); err != nil {
		t.Fatal(err)
	}
	wantDir(t, dir, "new")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, err %v", info.Mode(), err)
	}
}

func TestCreateRefusesAnExistingFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := atomicfile.Write(path, atomicfile.Create, 0o600, content("new"))
	if err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("got %v", err)
	}
	wantDir(t, dir, "old")
}

func TestCreateRefusesAFileThatAppearsMeanwhile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	err := atomicfile.Write(path, atomicfile.Create, 0o600, func(io.Writer) error {
		return os.WriteFile(path, []byte("theirs"), 0o600)
	})
	if err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("got %v", err)
	}
	wantDir(t, dir, "theirs")
}

func TestReplaceReplacesAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"old", "new"} {
		if err := atomicfile.WriteBytes(path, atomicfile.Replace, 0o600, []byte(text)); err != nil {
			t.Fatal(err)
		}
		wantDir(t, dir, text)
	}
}

func TestReplaceRefusesWhatIsNotAFile(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, t.TempDir(), os.DevNull} {
		if err := atomicfile.Write(path, atomicfile.Replace, 0o600, content("new")); err == nil {
			t.Errorf("replaced %s", path)
		}
	}
}

func TestAFailureLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	failure := errors.New("forged")
	err := atomicfile.Write(filepath.Join(dir, "f"), atomicfile.Create, 0o600, func(w io.Writer) error {
		return errors.Join(content("half")(w), failure)
	})
	if !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	wantDir(t, dir, "")
}

func TestAFailureKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(path, atomicfile.Replace, 0o600, func(io.Writer) error { return fs.ErrInvalid }); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	wantDir(t, dir, "old")
}

func TestAMissingDirectoryIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "f")
	err := atomicfile.Write(path, atomicfile.Create, 0o600, content("new"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}
