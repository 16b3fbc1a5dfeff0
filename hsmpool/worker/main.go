//go:build cgo

package worker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/strongroom-kms/strongroom/hsmpool/wire"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// socketFD is the file descriptor on which the server talks to the worker.
const socketFD = 3

// Main is the command "strongroom hsm-worker". It serves the requests that come on
// file descriptor 3 until that ends, and returns the exit code. It takes no arguments.
//
// It ignores the signals that ask a process to end: they go to the server too, which
// then stops the worker in order.
func Main(args []string) int {
	log := hclog.New(&hclog.LoggerOptions{Name: "hsm-worker", Output: os.Stderr, JSONFormat: true, Level: hclog.Debug})
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		log.Warn("a crash may leave a core file with secrets", "error", err)
	}
	if len(args) > 0 {
		log.Error("unknown arguments: the worker takes none", "args", args)
		return 2
	}
	conn, err := openSocket()
	if err != nil {
		log.Error("the worker is started by the server, not by hand", "error", err)
		return 2
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		log.Warn("a crash may leave a core file with secrets", "error", err)
	}
	if err := serve(conn, log); err != nil {
		log.Error("worker ends", "error", err)
		return 1
	}
	return 0
}

// openSocket takes over the server's socket, so that no child inherits it.
func openSocket() (*wire.Conn, error) {
	syscall.CloseOnExec(socketFD)
	file := os.NewFile(socketFD, "server socket")
	if file == nil {
		return nil, fmt.Errorf("file descriptor %d is not open", socketFD)
	}
	defer func() { _ = file.Close() }()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("file descriptor %d is no socket: %w", socketFD, err)
	}
	return wire.New(conn), nil
}

// serve introduces the worker and works until it is done or the socket has ended,
// whatever the library is doing then: no worker outlives its server.
func serve(conn *wire.Conn, log hclog.Logger) error {
	hello := &workerv1.Hello{ProtocolVersion: wire.Version}
	if err := send(conn, &workerv1.FromWorker{Message: &workerv1.FromWorker_Hello{Hello: hello}}); err != nil {
		return err
	}
	requests := make(chan *workerv1.ToWorker)
	ended := make(chan error, 2)
	go func() { ended <- receive(conn, requests) }()
	go func() { ended <- work(conn, log, requests) }()
	return <-ended
}

// receive reads requests until the socket ends.
func receive(conn *wire.Conn, requests chan<- *workerv1.ToWorker) error {
	for {
		m := &workerv1.ToWorker{}
		if err := conn.Read(m); err != nil {
			return ignoreEOF(err)
		}
		requests <- m
	}
}

// work carries out the first request, which says what the worker is for: to serve a
// token, or to initialise one.
func work(conn *wire.Conn, log hclog.Logger, requests <-chan *workerv1.ToWorker) error {
	first := <-requests
	calls := &announcer{conn}
	switch r := first.GetRequest().(type) {
	case *workerv1.ToWorker_Start:
		return serveToken(conn, calls, log, requests, first)
	case *workerv1.ToWorker_InitToken:
		return reply(conn, first.GetId(), initToken(calls, r.InitToken))
	}
	return errors.New("the first request is neither to start nor to initialise a token")
}

// reply answers a request that returns nothing but success or failure.
func reply(conn *wire.Conn, id uint64, err error) error {
	r := &workerv1.Reply{}
	if err != nil {
		r = failed(err)
	}
	r.Id = id
	return send(conn, &workerv1.FromWorker{Message: &workerv1.FromWorker_Reply{Reply: r}})
}

// ignoreEOF turns the orderly end of the socket into no error.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
