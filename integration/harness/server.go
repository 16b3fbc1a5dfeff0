package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
)

var addressPattern = regexp.MustCompile(`serving: .*address=(127\.0\.0\.1:\d+)`)

// Process is a running program whose end is awaited.
type Process struct {
	// Stdout and Stderr are what it has printed.
	Stdout, Stderr *Log

	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait; set before exited is closed
}

// Spawn starts a program.
func Spawn(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Stdout: NewLog(), Stderr: NewLog(), cmd: cmd, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Wait waits for the end and returns what exec.Cmd.Wait did.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.exited:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("waiting for process %d to end: %w", p.PID(), context.Cause(ctx))
	}
}

// Stop asks the process to end, waits for it and returns how it ended. After
// ctx it is killed.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return p.Wait(ctx)
	}
	if err := p.Wait(ctx); err == nil || p.hasExited() {
		return err
	}
	p.Kill()
	return fmt.Errorf("process %d did not end after SIGTERM", p.PID())
}

// Kill ends the process without warning (kill -9) and waits until it is gone.
func (p *Process) Kill() {
	// The error says that it is gone already.
	if err := p.Signal(syscall.SIGKILL); err == nil || !errors.Is(err, syscall.ESRCH) {
		<-p.exited
	}
}

func (p *Process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// Server is a running `strongroom serve`.
type Server struct {
	*Process
	// Address is where it listens.
	Address string
}

// Start starts the site's server and waits until it serves.
func (s *Site) Start(ctx context.Context) (*Server, error) {
	p, err := s.Spawn(ctx)
	if err != nil {
		return nil, err
	}
	return p.awaitServing(ctx)
}

// Spawn starts the site's server and does not wait for it. The server outlives
// ctx.
func (s *Site) Spawn(ctx context.Context) (*Process, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.options.Binary, "serve", "--config", s.Config)
	cmd.Env = append(os.Environ(), s.options.Env...)
	return Spawn(cmd)
}

func (p *Process) awaitServing(ctx context.Context) (*Server, error) {
	line, err := p.Stderr.Await(ctx, p.exited, "serving: address=")
	if err != nil {
		p.Kill()
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	found := addressPattern.FindStringSubmatch(line)
	if found == nil {
		p.Kill()
		return nil, fmt.Errorf("the server's log names no address: %s", line)
	}
	return &Server{Process: p, Address: found[1]}, nil
}
