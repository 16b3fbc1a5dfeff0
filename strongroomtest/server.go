package strongroomtest

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

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

// Server is a running server. Its methods end the test if they fail: the one that
// started it, or that of For.
type Server struct {
	// Address is where the server listens, "127.0.0.1:port", also after Restart.
	Address string
	// Admin calls the server as the principal admin, who may do everything.
	Admin *client.Client

	t        tb
	instance *instance
}

// Start starts a server that the end of the test stops.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return start(t, opts)
}

func start(t tb, opts []Option) *Server {
	t.Helper()
	i := &instance{
		dir: t.TempDir(), log: t.Output(), clients: map[string]*client.Client{},
		options: options{principals: devserver.DefaultPrincipals(), logLevel: "warn"},
	}
	for _, o := range opts {
		o(&i.options)
	}
	t.Cleanup(func() {
		t.Helper()
		if err := i.close(); err != nil {
			t.Errorf("%v", err)
		}
	})
	if err := i.start("127.0.0.1:0"); err != nil {
		t.Fatalf("%v", err)
	}
	s := &Server{t: t, instance: i}
	s.Address = s.current().site.Address
	s.Admin = s.Client("admin")
	return s
}

// For is the same server for another test: what fails ends that one. A subtest
// that is parallel, and a test that uses a server of TestMain's, have to use it.
// The server still ends with the test that started it.
func (s *Server) For(t testing.TB) *Server {
	return &Server{Address: s.Address, Admin: s.Admin, t: t, instance: s.instance}
}

// current is the server as it runs now.
func (s *Server) current() *run {
	s.t.Helper()
	r, err := s.instance.current()
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	return r
}

// Restart stops the server in order and starts it again, with the same keys, at
// the same address. Clients stay usable, and those of Client are connected again.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.instance.restart(); err != nil {
		s.t.Fatalf("%v", err)
	}
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
