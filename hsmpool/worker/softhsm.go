//go:build cgo

package worker

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// clockSlack covers file systems whose time stamps are coarse.
const clockSlack = 2 * time.Second

// softhsmTokenDir returns where SoftHSM keeps its tokens, by the rules by which it
// finds its configuration itself.
func softhsmTokenDir() (string, error) {
	paths := []string{os.Getenv("SOFTHSM2_CONF")}
	if paths[0] == "" {
		home, _ := os.UserHomeDir()
		paths = []string{filepath.Join(home, ".config", "softhsm2", "softhsm2.conf"), "/etc/softhsm/softhsm2.conf", "/etc/softhsm2.conf"}
	}
	for _, path := range paths {
		dir, err := tokenDirIn(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return dir, err
	}
	return "", fmt.Errorf("no SoftHSM configuration in %s", strings.Join(paths, ", "))
}

// tokenDirIn returns directories.tokendir of a SoftHSM configuration.
func tokenDirIn(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		if strings.TrimSpace(key) == "directories.tokendir" {
			return strings.TrimSpace(value), nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return "", fmt.Errorf("%s names no directories.tokendir", path)
}

// dirSyncer makes files durable that a library wrote without syncing them, and tells
// which objects are new. One goroutine uses it.
type dirSyncer struct {
	dir     string
	last    time.Time       // everything changed before has been synced
	objects map[string]bool // the object files that were there then
}

// newDirSyncer takes what is in dir now as old.
func newDirSyncer(dir string) (*dirSyncer, error) {
	d := &dirSyncer{dir: dir, last: time.Now(), objects: map[string]bool{}}
	err := walk(dir, func(path string, _ fs.DirEntry) error {
		if isObject(path) {
			d.objects[path] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the token directory: %w", err)
	}
	return d, nil
}

// sync syncs every file changed since the last time, and every directory: SoftHSM has
// one directory for each token, with a file for each object. It returns the object
// files that were not there the last time.
func (d *dirSyncer) sync() (made []string, err error) {
	began := time.Now()
	since := d.last.Add(-clockSlack)
	objects := make(map[string]bool, len(d.objects)+1)
	err = walk(d.dir, func(path string, entry fs.DirEntry) error {
		if isObject(path) {
			objects[path] = true
			if !d.objects[path] {
				made = append(made, path)
			}
		}
		if !entry.IsDir() && !changedSince(entry, since) {
			return nil
		}
		return syncPath(path)
	})
	if err != nil {
		return nil, fmt.Errorf("syncing the token directory: %w", err)
	}
	d.last, d.objects = began, objects
	return made, nil
}

// isObject tells an object's file from the others in the token's directory.
func isObject(path string) bool { return filepath.Ext(path) == ".object" }

// walk visits everything below dir but what is destroyed meanwhile.
func walk(dir string, visit func(path string, entry fs.DirEntry) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return visit(path, entry)
	})
}

// changedSince is false of a file that was destroyed meanwhile.
func changedSince(entry fs.DirEntry, since time.Time) bool {
	info, err := entry.Info()
	return err == nil && !info.ModTime().Before(since)
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	return f.Sync()
}

// syncer returns what makes the library's files durable, if it does not do so itself.
func (s *server) syncer() (func() ([]string, error), error) {
	none := func() ([]string, error) { return nil, nil }
	if !s.token.profile.syncTokens {
		return none, nil
	}
	dir, err := softhsmTokenDir()
	if err != nil {
		s.log.Warn("new keys may be lost in a power cut or on a full disk: the token directory is not known", "error", err)
		return none, nil
	}
	d, err := newDirSyncer(dir)
	if err != nil {
		return nil, err
	}
	return d.sync, nil
}
