package strongroomtest

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/client"
	"github.com/strongroom-kms/strongroom/internal/devserver"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// tb is what a Server needs of a testing.TB.
type tb interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	TempDir() string
	Output() io.Writer
}

// Server is a running server. Its methods end the test if they fail.
type Server struct {
	// Address is where the server listens, "127.0.0.1:port", also after Restart.
	Address string
	// Admin calls the server as the principal admin, who may do everything.
	Admin *client.Client

	t       tb
	dir     string
	options options
	running *run

	mu      sync.Mutex
	clients map[string]*client.Client
}

// run is the server from a start to its end.
type run struct {
	site  *devserver.Site
	trail *audit.Trail
	stop  context.CancelFunc
	ended chan struct{}
	err   error // of the end; set before ended is closed
}

// Start starts a server that the end of the test stops.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return start(t, opts)
}

func start(t tb, opts []Option) *Server {
	t.Helper()
	s := &Server{
		t: t, dir: t.TempDir(), clients: map[string]*client.Client{},
		options: options{principals: devserver.DefaultPrincipals(), logLevel: "warn"},
	}
	for _, o := range opts {
		o(&s.options)
	}
	t.Cleanup(s.close)
	s.serve("127.0.0.1:0")
	s.Address = s.running.site.Address
	s.Admin = s.Client("admin")
	return s
}

// serve starts the server on what is in its directory.
func (s *Server) serve(listen string) {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &run{stop: stop, ended: make(chan struct{})}
	serving := make(chan struct{})
	go func() {
		defer close(r.ended)
		r.err = devserver.Run(ctx, devserver.Options{
			DataDir:    s.dir,
			Listen:     listen,
			Library:    s.options.library,
			Principals: s.options.principals,
			WorkerEnv:  map[string]string{workerVariable: "1"},
			Logger: hclog.New(&hclog.LoggerOptions{
				Name: "strongroom", Level: hclog.LevelFromString(s.options.logLevel), Output: s.t.Output(),
			}),
			TrailOpen: func(t *audit.Trail) { r.trail = t },
			Serving: func(_ context.Context, site *devserver.Site) error {
				r.site = site
				close(serving)
				return nil
			},
		})
	}()
	select {
	case <-serving:
		s.running = r
	case <-r.ended:
		stop()
		s.t.Fatalf("starting a Strongroom server: %v", r.err)
	}
}

// shutdown stops the server as SIGTERM does and returns when nothing of it runs
// any more.
func (s *Server) shutdown() {
	s.t.Helper()
	if s.running == nil {
		return
	}
	s.running.stop()
	<-s.running.ended
	if err := s.running.err; err != nil {
		s.t.Errorf("the Strongroom server did not end well: %v", err)
	}
	s.running = nil
}

// close ends everything.
func (s *Server) close() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, c := range s.clients {
		if err := c.Close(); err != nil {
			s.t.Errorf("closing the client of %s: %v", name, err)
		}
	}
	s.shutdown()
}

// Restart stops the server in order and starts it again, with the same keys, at
// the same address. Clients stay usable.
func (s *Server) Restart() {
	s.t.Helper()
	s.shutdown()
	s.serve(s.Address)
}

// KillWorker kills the HSM worker process, as a fault in a vendor's library would.
// The server replaces it, and requests wait for that. While it is being replaced
// there is nothing to kill. The server is asked for the process, which leaves an
// event, DescribeHsms.
func (s *Server) KillWorker() {
	s.t.Helper()
	ctx, cancel := patience()
	defer cancel()
	answer, err := s.Admin.Operator.DescribeHsms(ctx, &operatorv1.DescribeHsmsRequest{})
	if err != nil {
		s.t.Fatalf("looking for the HSM worker: %v", err)
	}
	for _, hsm := range answer.GetHsms() {
		pid := int(hsm.GetWorkerPid())
		if pid <= 0 { // there is none, and the number would mean others
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			s.t.Fatalf("killing the HSM worker %d: %v", pid, err)
		}
	}
}

// NewKey creates a symmetric key for encryption as admin and returns its ARN.
func (s *Server) NewKey() string {
	s.t.Helper()
	ctx, cancel := patience()
	defer cancel()
	answer, err := s.Admin.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{})
	if err != nil {
		s.t.Fatalf("creating a key: %v", err)
	}
	return answer.GetKeyMetadata().GetArn()
}

// patience is how long a method waits for a server that should answer at once.
func patience() (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.Background(), 30*time.Second, errors.New("nothing came within 30s"))
}
