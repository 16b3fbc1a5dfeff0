package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// leash returns a context that ends with ctx, when the other end of stdin has
// been closed (that of a pipe or a socket: files and terminals do not end it), or
// when the parent process has ended. release stops the watch and waits for it.
//
// Nothing is read from stdin. The parent is watched by a pidfd, because a signal
// on its death (PR_SET_PDEATHSIG) comes on that of the thread that started us.
func leash(ctx context.Context, stdin io.Reader) (_ context.Context, release func(), err error) {
	ended, end, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("watching the parent process: %w", err)
	}
	fds := []unix.PollFd{{Fd: int32(ended.Fd())}}
	if f, ok := stdin.(*os.File); ok {
		fds = append(fds, unix.PollFd{Fd: int32(f.Fd())})
	}
	parent := openParent()
	if parent != nil {
		fds = append(fds, unix.PollFd{Fd: int32(parent.Fd()), Events: unix.POLLIN})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { cancel(await(fds)) })
	return ctx, func() {
		_ = end.Close() // which ends the watch
		watch.Wait()
		_ = ended.Close() // both were only watched
		if parent != nil {
			_ = parent.Close()
		}
	}, nil
}

// openParent returns a file that becomes readable when the parent process ends;
// nil if it cannot be watched: it is outside of our PID namespace, or the kernel
// has no pidfds.
func openParent() *os.File {
	pid := os.Getppid()
	if pid == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), "parent process")
}

// await returns when something has happened to one of the files; that the other
// end is closed is told without being asked for. Its error is that it cannot
// watch them.
func await(fds []unix.PollFd) error {
	for {
		switch _, err := unix.Poll(fds, -1); {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("watching the parent process: %w", err)
		}
	}
}
