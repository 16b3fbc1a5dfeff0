package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const lockName = "LOCK"

// Lock keeps everybody from opening the journal in dir until the lock is closed,
// for who restores one. It fails with ErrInUse, and the process that has it, if
// the journal is open. The lock goes with the directory when that is renamed.
func Lock(dir string) (io.Closer, error) { return acquireLock(dir) }

// acquireLock takes the directory for this process. The lock goes with the
// returned file, so the kernel frees it however the process ends.
func acquireLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the journal's lock file: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }() // only read
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is open in process %s", ErrInUse, dir, lockHolder(f))
		}
		return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	if err := writeHolder(f); err != nil {
		return nil, errors.Join(fmt.Errorf("writing %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// lockHolder returns the process id that the lock's holder wrote, for people.
func lockHolder(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return pid
	}
	return "unknown"
}
