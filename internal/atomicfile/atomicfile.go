// Package atomicfile writes files that are either complete or not there.
//
// The content goes to a temporary file in the same directory, is synced, and
// gets its name only when all of it was written. So a crash, a full disk or an
// input that turns out to be forged leaves no output, and an existing file is
// never half overwritten.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/strongroom-kms/strongroom/audit/durable"
)

// Mode says what to do with a file that has the name already.
type Mode int

const (
	// Create refuses an existing file.
	Create Mode = iota + 1
	// Replace replaces an existing regular file. Anything else of that name (a
	// directory, a device, a symbolic link) is refused.
	Replace
)

// Check reports why Write would refuse the path, so that no work is done in
// vain. Write checks again.
func Check(path string, mode Mode) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case mode == Create:
		return fmt.Errorf("%s exists already", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	}
	return nil
}

// Write creates the file, with permissions perm, from what fill writes. The
// file and its directory are synced before Write returns nil. On an error of
// fill, or any other, nothing is left behind.
func Write(path string, mode Mode, perm fs.FileMode, fill func(io.Writer) error) (err error) {
	if err := Check(path, mode); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("creating a temporary file beside %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, discard(tmp)) }()
	if err := fill(tmp); err != nil {
		return err
	}
	if err := finish(tmp, perm); err != nil {
		return err
	}
	if err := publish(tmp.Name(), path, mode); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// WriteBytes is Write for content that is at hand.
func WriteBytes(path string, mode Mode, perm fs.FileMode, content []byte) error {
	return Write(path, mode, perm, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// finish makes the content durable and closes the file.
func finish(f *os.File, perm fs.FileMode) error {
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing: %w", err)
	}
	return f.Close()
}

// publish gives the temporary file its name. With Create it is a hard link,
// which fails if somebody took the name meanwhile, where rename would replace.
func publish(tmp, path string, mode Mode) error {
	if mode == Replace {
		return os.Rename(tmp, path)
	}
	err := os.Link(tmp, path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already", path)
	}
	if err != nil {
		// The file system has no hard links.
		return os.Rename(tmp, path)
	}
	return nil
}

// discard closes and removes what may be left of the temporary file.
func discard(tmp *os.File) error {
	_ = tmp.Close() // closed already on success
	if err := os.Remove(tmp.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
