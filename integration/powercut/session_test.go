package powercut

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// script says what the recorded process does. It runs the server, is its client,
// and writes down what it is answered.
type script struct {
	// Binary is the strongroom program and Config its configuration.
	Binary, Config string
	// CA and Admin are what the client shows and believes.
	CA    string
	Admin harness.Identity
	// Token is the server's.
	Token harness.Token
	// Dir is the recording's directory.
	Dir string
	// Lives are how the server ends, one time after the other, and Rounds is how much
	// its clients do each time.
	Lives  []life
	Rounds int
	// Earlier is what the client had noted before.
	Earlier []note
	// Trimming has a journal written and trimmed instead, without a server.
	Trimming bool
}

// life is how a life of the server ends.
type life string

const (
	stopped life = "stopped after the load"
	killed  life = "killed during the load"
)

// scriptEnv makes the test binary the process of the script that it names.
const scriptEnv = "STRONGROOM_POWERCUT_SCRIPT"

// run is the recorded process.
func (s *script) run(ctx context.Context) error {
	pad, err := newNotepad(filepath.Join(s.Dir, notesFile))
	if err != nil {
		return err
	}
	if s.Trimming {
		return errors.Join(s.trim(ctx, pad), pad.file.Close())
	}
	for _, end := range s.Lives {
		if err := s.live(ctx, pad, end); err != nil {
			return errors.Join(err, pad.file.Close())
		}
	}
	return pad.file.Close()
}

// live starts a server and has it live one life.
func (s *script) live(ctx context.Context, pad *notepad, end life) error {
	server, err := s.start(ctx)
	if err != nil {
		return err
	}
	defer server.Kill()
	client, err := harness.Dial(server.Address, s.CA, &s.Admin)
	if err != nil {
		return err
	}
	l := &load{client: client, pad: pad, rounds: s.Rounds}
	if end == killed {
		err = s.killDuring(ctx, server, l)
	} else if err = l.run(ctx); err == nil {
		err = server.Stop(ctx)
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, server.Stderr)
	}
	return errors.Join(err, client.Close())
}

var serving = regexp.MustCompile(`serving: address=(\S+)`)

func (s *script) start(ctx context.Context) (*harness.Server, error) {
	process, err := harness.Spawn(exec.CommandContext(ctx, s.Binary, "serve", "--config", s.Config))
	if err != nil {
		return nil, err
	}
	line, err := process.Stderr.Await(ctx, process.Exited(), "serving: address=")
	if err != nil {
		process.Kill()
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	return &harness.Server{Process: process, Address: serving.FindStringSubmatch(line)[1]}, nil
}

// killDuring kills the server during the load and copies what it leaves behind.
func (s *script) killDuring(ctx context.Context, server *harness.Server, l *load) error {
	worker, err := server.Worker(ctx, 0)
	if err != nil {
		return err
	}
	end, err := unix.PidfdOpen(worker, 0)
	if err != nil {
		return fmt.Errorf("watching the worker: %w", err)
	}
	defer unix.Close(end) //nolint:errcheck // it was only watched
	l.enough = func() { server.Kill() }
	if err := l.run(ctx); status.Code(err) != codes.Unavailable || harness.ErrorInfo(err) != nil {
		return fmt.Errorf("the load ended with %w, not with the end of the server", err)
	}
	<-server.Exited()
	if err := awaitEnd(end); err != nil {
		return fmt.Errorf("waiting for the end of the worker: %w", err)
	}
	copied := filepath.Join(s.Dir, copyDir)
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(s.Dir, siteDir))); err != nil {
		return err
	}
	return l.pad.write(note{Killed: copied})
}

// awaitEnd waits for the end of a process, given its pidfd.
func awaitEnd(pidfd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(time.Minute.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return errors.New("it takes more than a minute")
		default:
			return nil
		}
	}
}

// notepad writes notes, each with one call.
type notepad struct {
	mu   sync.Mutex
	file *os.File
}

func newNotepad(path string) (*notepad, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &notepad{file: file}, nil
}

func (p *notepad) write(n note) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = p.file.Write(append(text, '\n'))
	return err
}
