//go:build cgo

package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// SoftHSM keeps what opens a token's keys, encrypted under its PINs, in a file of the
// token's directory, and writes this file anew at every login: it cuts it to nothing,
// writes it, and does not sync it. A power cut soon after may leave it empty, and all
// keys of the token are lost with it; so may a login on a full disk.
const (
	tokenFile = "token.object"
	// tokenCopy is ours. SoftHSM takes no notice of files with such a name.
	tokenCopy = tokenFile + ".strongroom-copy"
	// lastOfToken is the attribute with the highest type that SoftHSM gives to a token
	// whose user has a PIN: the key that the PIN protects.
	lastOfToken = 0x8000534d
)

// safeguard keeps the login that follows from costing the token its keys.
func (p profile) safeguard(log hclog.Logger) error {
	if !p.syncTokens {
		return nil
	}
	dir, err := softhsmTokenDir()
	if err != nil {
		return nil //nolint:nilerr // that the directory is not known is logged once, by syncer
	}
	return safeguardTokens(dir, log)
}

// safeguardTokens sees to it that every token in SoftHSM's directory has a durable copy
// of its file, and puts the copy in the place of a file that is damaged.
func safeguardTokens(dir string, log hclog.Logger) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing the token directory: %w", err)
	}
	for _, entry := range entries {
		token := filepath.Join(dir, entry.Name())
		err := errors.Join(safeguardToken(token, log), addLocks(token))
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
			continue // what we may not write SoftHSM cannot damage
		}
		if err != nil {
			return fmt.Errorf("safeguarding the token in %s: %w", entry.Name(), err)
		}
	}
	return nil
}

func safeguardToken(dir string, log hclog.Logger) error {
	file, damage, err := readToken(filepath.Join(dir, tokenFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil // no token
	}
	if err != nil {
		return err
	}
	saved, err := os.ReadFile(filepath.Join(dir, tokenCopy))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case damage == nil && !sameToken(file, saved):
		return replaceFile(filepath.Join(dir, tokenCopy), file)
	case damage != nil && wholeToken(saved) == nil:
		log.Warn("SoftHSM's file of the token is damaged and is replaced by its copy", "directory", dir, "damage", damage)
		return replaceFile(filepath.Join(dir, tokenFile), saved)
	}
	return nil // if it is damaged and there is no copy, the library will say so
}

// addLocks gives every object its lock file. SoftHSM makes it after the object's, and
// cannot destroy an object that has lost it: it removes the object, and then fails.
func addLocks(dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	there := map[string]bool{}
	for _, file := range files {
		there[file.Name()] = true
	}
	for name := range there {
		lock := strings.TrimSuffix(name, ".object") + ".lock"
		if isObject(name) && !there[lock] {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, lock), nil, 0o600))
		}
	}
	return err
}

// readToken reads the file of a token and says what is wrong with it. Another process
// may be writing it just now, and is given the time to finish.
func readToken(path string) (file []byte, damage, err error) {
	for try := 1; ; try++ {
		if file, err = os.ReadFile(path); err != nil {
			return nil, nil, err
		}
		if damage = wholeToken(file); damage == nil || try == readTries {
			return file, damage, nil
		}
		time.Sleep(readPause)
	}
}

// wholeToken tells whether the file of a token has all its attributes.
func wholeToken(file []byte) error {
	last, err := lastAttribute(file)
	if err == nil && last < lastOfToken {
		err = errors.New("it has no user PIN")
	}
	return err
}

// sameToken compares two files of a token but for their generation numbers, which rise
// with every login.
func sameToken(a, b []byte) bool {
	return len(a) == len(b) && len(a) > wordBytes && bytes.Equal(a[wordBytes:], b[wordBytes:])
}

// replaceFile gives a file a new content, durably, at once.
func replaceFile(path string, content []byte) (err error) {
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }() // gone if all went well
	_, err = draft.Write(content)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Rename(draft.Name(), path); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path))
}
