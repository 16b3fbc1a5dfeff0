// Package durable changes directories so that a power cut does not undo it: names are synced
// like contents.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeDir makes a directory and what is missing above it, each with permissions perm and a durable
// name. The names are made durable by sync, which is SyncDir unless a test stands in its way.
func MakeDir(dir string, perm fs.FileMode, sync func(dir string) error) error {
	switch info, err := os.Stat(dir); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%s is no directory", dir)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if err := MakeDir(parent, perm, sync); err != nil {
		return err
	}
	if err := os.Mkdir(dir, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return sync(parent)
}

// Replace gives the file at path this content, and permissions perm if it is new. After a crash it
// has the old content or the new one. It has one writer at a time: what is written has the name path
// with ".tmp" behind it until it is complete, so that nothing piles up.
func Replace(path string, perm fs.FileMode, content []byte) error {
	temporary := path + ".tmp"
	err := write(temporary, perm, content)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		if gone := os.Remove(temporary); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// write makes a file durable, but not its name.
func write(path string, perm fs.FileMode, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
