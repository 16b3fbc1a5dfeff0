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
// on its death (PR_SET_PDEATHSIG) comes on that of the thread that started us. A
// parent that ended before us, as a shell does that starts us in the background,
// is not known any more.
func leash(ctx context.Context, stdin io.Reader) (_ context.Context, release func(), err error) {
	parent, err := openParent()
	if err != nil {
		return nil, nil, err
	}
	ended, end, err := os.Pipe()
	if err != nil {
		_ = parent.Close() // nil or not
		return nil, nil, fmt.Errorf("watching the parent process: %w", err)
	}
	fds := []unix.PollFd{{Fd: int32(ended.Fd())}}
	if f, ok := stdin.(*os.File); ok {
		fds = append(fds, unix.PollFd{Fd: int32(f.Fd())})
	}
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
		_ = parent.Close()
	}, nil
}

// openParent returns a file that becomes readable when the parent process ends;
// nil if it cannot be watched: it is outside of our PID namespace, or the kernel
// has no pidfds. It fails when the parent ends meanwhile.
func openParent() (*os.File, error) {
	pid := os.Getppid()
	if pid == 0 {
		return nil, nil
	}
	var parent *os.File
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		parent = os.NewFile(uintptr(fd), "parent process")
	}
	if os.Getppid() != pid {
		_ = parent.Close() // nil or not
		return nil, errors.New("the process that started this one has ended")
	}
	return parent, nil
}

// stray says that only a signal will end a process with this parent and standard
// input: the first process adopts those whose parent has ended, and only a pipe
// or a socket has another end.
func stray(parent int, stdin io.Reader) bool {
	if parent > 1 {
		return false
	}
	f, ok := stdin.(*os.File)
	if !ok {
		return true
	}
	info, err := f.Stat()
	return err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0
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
