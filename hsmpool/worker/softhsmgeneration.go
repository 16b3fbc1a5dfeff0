//go:build cgo

package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// generationFile has the number of changes of a token, 8 bytes big-endian. SoftHSM reads a
// token's directory again when this number is not the one that it remembers, and after a
// change of its own it remembers the number that it writes, although it has not seen what
// other processes had changed meanwhile: their new keys stay hidden until the next change.
const generationFile = "generation"

// raiseGeneration has every process that uses a SoftHSM token read its directory again at
// its next search.
func raiseGeneration(tokenDir string) (err error) {
	f, err := os.OpenFile(filepath.Join(tokenDir, generationFile), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }() // which unlocks it
	lock := &unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLKW, lock); err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	number := make([]byte, wordBytes)
	if _, err := f.ReadAt(number, 0); err != nil {
		return err
	}
	binary.BigEndian.PutUint64(number, binary.BigEndian.Uint64(number)+1)
	_, err = f.WriteAt(number, 0)
	return err
}

// softhsmToken returns the directory of a token below SoftHSM's: its name is a UUID, and
// the serial number the last 16 digits of that.
func softhsmToken(dir, serial string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		if serial != "" && strings.HasSuffix(strings.ReplaceAll(entry.Name(), "-", ""), serial) {
			return filepath.Join(dir, entry.Name()), nil
		}
	}
	return "", fmt.Errorf("no token with the serial number %s in %s: %w", serial, dir, fs.ErrNotExist)
}

// refresher returns what has the library see what other processes have changed, before a key
// counts as missing; nil if it does so by itself.
func (t *token) refresher() func() error {
	if !t.profile.syncTokens {
		return nil
	}
	return func() error {
		dir, err := softhsmTokenDir()
		if err != nil {
			return err
		}
		token, err := softhsmToken(dir, text(t.info.SerialNumber))
		if err != nil {
			return err
		}
		// Closing the file drops the lock that SoftHSM may hold on it in this process.
		return t.storing.change(func() error { return raiseGeneration(token) })
	}
}
