package strongroomtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// StartMain is Start where there is no test: in a TestMain, whose tests then share
// the server, and in an example. It panics where Start would fail the test, and so
// do the server's methods; a test uses server.For(t). stop stops the server and
// removes all of it.
func StartMain(opts ...Option) (server *Server, stop func()) {
	p := new(process)
	server = start(p, opts)
	p.started = true
	return server, p.end
}

// process is a tb for a server of a whole process.
type process struct {
	cleanups []func()
	started  bool
}

func (p *process) end() {
	for _, f := range slices.Backward(p.cleanups) {
		f()
	}
	p.cleanups = nil
}

// Helper is part of tb.
func (*process) Helper() {}

// Cleanup is part of tb.
func (p *process) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

// Errorf is part of tb. What it reports comes at the end, when there is nothing
// left to fail.
func (*process) Errorf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

// Fatalf is part of tb. What fails later is not the end of the server: others use
// it.
func (p *process) Fatalf(format string, args ...any) {
	if !p.started {
		p.end()
	}
	panic(fmt.Errorf(format, args...))
}

// TempDir is part of tb.
func (p *process) TempDir() string {
	dir, err := os.MkdirTemp("", "strongroomtest-")
	if err != nil {
		p.Fatalf("making a directory: %v", err)
	}
	p.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			p.Errorf("%v", err)
		}
	})
	return dir
}

// Output is part of tb.
func (*process) Output() io.Writer { return os.Stderr }
