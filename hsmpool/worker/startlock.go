//go:build cgo

package worker

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// startLock is held by a worker that starts on a token of SoftHSM, from before C_Initialize
// until it has logged in and listed the keys. SoftHSM rewrites the token's file at each
// login, and processes that read it meanwhile find no token, or none whose PIN is set. The
// lock (flock(2)) is on the token directory itself, for workers of all servers on the
// machine, and goes with the process.
type startLock struct{ dir *os.File }

const (
	// startPatience bounds the wait for workers that start, or hang on the way. Who meets
	// the race after all is told so by a failure, and started again.
	startPatience = 5 * time.Second
	startPoll     = 5 * time.Millisecond
)

// lockStart waits until no other worker is starting. A directory that cannot be locked is
// not: that it is missing the library says itself.
func (p profile) lockStart(log hclog.Logger) *startLock {
	if !p.syncTokens {
		return &startLock{}
	}
	return lockTokens(log)
}

// lockTokens is lockStart for SoftHSM.
func lockTokens(log hclog.Logger) *startLock {
	path, err := softhsmTokenDir()
	if err != nil {
		return &startLock{} // that it is not known is logged once, by syncer
	}
	dir, err := os.Open(path)
	if err != nil {
		return &startLock{}
	}
	if err := lockDir(dir, log); err != nil {
		log.Warn("starting beside another worker on the same token directory, which may hinder both", "error", err)
	}
	return &startLock{dir}
}

// lockDir waits for the lock, and says so.
func lockDir(dir *os.File, log hclog.Logger) error {
	deadline := time.Now().Add(startPatience)
	try := func() error { return unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
	err := try()
	if errors.Is(err, unix.EWOULDBLOCK) {
		log.Info("waiting for another worker to start on SoftHSM's token directory", "directory", dir.Name())
	}
	for errors.Is(err, unix.EWOULDBLOCK) && time.Now().Before(deadline) {
		time.Sleep(startPoll)
		err = try()
	}
	if err != nil {
		return fmt.Errorf("locking SoftHSM's token directory %s: %w", dir.Name(), err)
	}
	return nil
}

// release lets the next worker start. It may be called again.
func (l *startLock) release() {
	if l.dir != nil {
		_ = l.dir.Close() // which releases the lock; nothing was written
		l.dir = nil
	}
}
