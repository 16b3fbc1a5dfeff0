package hsmpool

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/hsmpool/wire"
)

// stderrGrace is how long a dead worker's log is still read if a child of its own
// keeps it open.
const stderrGrace = time.Second

// spawn starts a worker process, connected by a socket pair that is its file
// descriptor 3, in a process group of its own: a signal from the terminal reaches
// only the server, which then stops the worker in order.
func spawn(cfg Config, log hclog.Logger, calls *callLog, tally *tally) (*process, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	stderr := newLogJoiner(log.Named("hsm-worker"))
	cmd := exec.Command(cfg.WorkerCommand[0], cfg.WorkerCommand[1:]...) //nolint:noctx // process.end ends it, not a context
	cmd.Env = workerEnv(cfg.Env, cfg.PIN.Env)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = stderr
	cmd.WaitDelay = stderrGrace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("starting the worker %q: %w", strings.Join(cfg.WorkerCommand, " "), err)
	}
	p := &process{
		cfg: cfg, log: log, cmd: cmd, socket: ours, conn: wire.New(ours), calls: calls, tally: tally,
		began:   time.Now(),
		hello:   make(chan struct{}),
		flush:   make(chan struct{}, 1),
		lost:    make(chan struct{}),
		written: make(chan struct{}),
		exited:  make(chan struct{}),
		pending: make(map[uint64]*call),
	}
	p.run()
	return p, nil
}

// socketPair returns both ends of a stream, none of which another child inherits.
func socketPair() (*net.UnixConn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making the worker's socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "worker socket"), os.NewFile(uintptr(fds[1]), "worker socket")
	defer func() { _ = ours.Close() }()
	conn, err := net.FileConn(ours)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("opening the worker's socket: %w", err)
	}
	return conn.(*net.UnixConn), theirs, nil
}

// workerEnv returns env with PATH and the named variables of this process added,
// where env does not set them.
func workerEnv(env []string, names ...string) []string {
	env = slices.Clone(env)
	for _, name := range append(names, "PATH") {
		value, ok := os.LookupEnv(name)
		if name == "" || !ok || hasVariable(env, name) {
			continue
		}
		env = append(env, name+"="+value)
	}
	if env == nil {
		env = []string{} // nil would hand on the whole environment
	}
	return env
}

func hasVariable(env []string, name string) bool {
	return slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
}
