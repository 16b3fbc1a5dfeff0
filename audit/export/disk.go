package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/strongroom-kms/strongroom/audit/durable"
)

// The group may read, so that a collector can; nobody else.
const (
	dirMode  = 0o750
	fileMode = 0o640
)

// privateDir has what is no part of the tree, and tempDir the files that have no
// name in it yet.
const (
	privateDir = ".strongroom"
	tempDir    = privateDir + "/tmp"
	stateFile  = privateDir + "/state.json"
	lockFile   = privateDir + "/LOCK"
)

// disk changes the directory. Paths are relative to it, with slashes.
type disk struct {
	root   string
	before func(operation, path string) error
}

func (d disk) path(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

// lock keeps other processes out of the directory, until the file is closed.
func (d disk) lock() (*os.File, error) {
	f, err := os.OpenFile(d.path(lockFile), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use by another process: %w", d.root, err), f.Close())
	}
	return f, nil
}

// create makes an empty file without a name in the tree.
func (d disk) create(name string) (*os.File, error) {
	if err := d.before("create", name); err != nil {
		return nil, err
	}
	return os.OpenFile(d.path(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
}

// finish makes a file's content durable and closes it.
func (d disk) finish(f *os.File) error {
	err := d.before("sync", f.Name())
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// name gives a file of tempDir its name in the tree, durably.
func (d disk) name(temporary, name string) error {
	dir := filepath.Dir(d.path(name))
	if err := d.makeDir(dir); err != nil {
		return err
	}
	if err := d.before("rename", name); err != nil {
		return err
	}
	if err := os.Rename(d.path(temporary), d.path(name)); err != nil {
		return err
	}
	return d.syncDir(dir)
}

// write writes a whole file, so that it is there with all its content or, after a
// crash, as it was.
func (d disk) write(name string, content []byte) error {
	temporary := tempDir + "/" + filepath.Base(name)
	f, err := d.create(temporary)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, d.finish(f)); err != nil {
		return err
	}
	return d.name(temporary, name)
}

// makeDir makes a directory and what is missing above it, each with a durable name.
func (d disk) makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := d.makeDir(parent); err != nil {
		return err
	}
	if err := d.before("mkdir", dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.syncDir(parent)
}

func (d disk) syncDir(dir string) error {
	if err := d.before("sync directory", dir); err != nil {
		return err
	}
	return durable.SyncDir(dir)
}

// clean removes the files that never got a name.
func (d disk) clean() error {
	files, err := os.ReadDir(d.path(tempDir))
	for _, f := range files {
		err = errors.Join(err, d.before("remove", f.Name()))
		if err == nil {
			err = os.Remove(filepath.Join(d.path(tempDir), f.Name()))
		}
	}
	return err
}

func (d disk) exists(name string) (bool, error) {
	_, err := os.Stat(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
