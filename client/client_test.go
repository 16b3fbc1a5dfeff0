package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/strongroom-kms/strongroom/client"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

func dial(t *testing.T, target string, c client.Config) *client.Client {
	t.Helper()
	conn, err := client.Dial(target, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func random(ctx context.Context, c *client.Client) error {
	_, err := c.KMS.GenerateRandom(ctx, &kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(16))})
	return err
}

// An error has AWS's name and the request's id, in unary calls and in streams.
func TestErrorsOfAServer(t *testing.T) {
	server := strongroomtest.Start(t)
	app := server.Client("app")
	_, unary := app.KMS.DescribeKey(t.Context(), &kmsv1.DescribeKeyRequest{KeyId: new("0a1b2c3d-0000-4000-8000-000000000000")})
	stream, err := app.Operator.StreamEvents(t.Context(), &operatorv1.StreamEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, streamed := stream.Recv()
	tests := []struct {
		err  error
		name string
		code codes.Code
	}{
		{unary, "NotFoundException", codes.NotFound},
		{streamed, "AccessDeniedException", codes.PermissionDenied},
	}
	for i, test := range tests {
		var e *client.Error
		if !errors.As(test.err, &e) || e.Name != test.name || e.Code != test.code {
			t.Errorf("got %#v, want %s", test.err, test.name)
			continue
		}
		if event := server.Events()[i]; event.RequestID != e.RequestID || event.ErrorCode == "" {
			t.Errorf("request %s is not that of its event: %s", e.RequestID, event.JSON)
		}
	}
}

func TestTheEndOfAStreamIsNoError(t *testing.T) {
	server := strongroomtest.Start(t)
	stream, err := server.Admin.Operator.StreamHsmLog(t.Context(), &operatorv1.StreamHsmLogRequest{Last: new(int32(1))})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err = stream.Recv()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

// Calls that change nothing outlast a restart of the server, without a word.
func TestCallsOutlastARestart(t *testing.T) {
	server := strongroomtest.Start(t)
	config := server.Config("app")
	config.Retries = 20 // for slow machines
	app := dial(t, server.Address, config)
	ctx, stop := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	first := make(chan struct{}, 4)
	for range cap(first) {
		calls.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := random(t.Context(), app); err != nil {
					t.Error(err)
					return
				}
				if n == 0 {
					first <- struct{}{}
				}
			}
		})
	}
	for range cap(first) {
		<-first
	}
	server.Restart()
	stop()
	calls.Wait()
}

// A server that is not there is told soon by a client that is not to wait for it.
func TestAServerThatIsNotThere(t *testing.T) {
	server := strongroomtest.Start(t)
	config := server.Config("app")
	config.Retries = -1
	err := random(t.Context(), dial(t, "127.0.0.1:1", config))
	if err == nil || !strings.HasPrefix(err.Error(), "cannot reach the server: ") {
		t.Errorf("got %v", err)
	}
}

// The files of a client certificate are read again for each connection.
func TestARenewedCertificateIsUsed(t *testing.T) {
	server := strongroomtest.Start(t)
	dir := t.TempDir()
	config := server.Config("app")
	config.ClientCert, config.ClientKey = filepath.Join(dir, "me.pem"), filepath.Join(dir, "me-key.pem")
	install := func(principal string) {
		from := server.Config(principal)
		copyFile(t, from.ClientCert, config.ClientCert)
		copyFile(t, from.ClientKey, config.ClientKey)
	}
	install("app")
	c := dial(t, server.Address, config)
	for _, principal := range []string{"app", "admin"} {
		install(principal)
		if err := random(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		events := server.Events()
		if got := events[len(events)-1].UserIdentity.ARN; got != server.ARN(principal) {
			t.Errorf("called as %s, want %s", got, server.ARN(principal))
		}
		server.Restart() // ends the connection
	}
}

// In the middle of a renewal, when only one of the files is new, the former
// certificate is used.
func TestHalfARenewalFailsNoCalls(t *testing.T) {
	server := strongroomtest.Start(t)
	dir := t.TempDir()
	config, other := server.Config("app"), server.Config("admin")
	certificate, key := filepath.Join(dir, "me.pem"), filepath.Join(dir, "me-key.pem")
	copyFile(t, config.ClientCert, certificate)
	copyFile(t, config.ClientKey, key)
	config.ClientCert, config.ClientKey = certificate, key
	c := dial(t, server.Address, config)
	copyFile(t, other.ClientCert, certificate)
	if err := random(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := server.Events()[0].UserIdentity.ARN; got != server.ARN("app") {
		t.Errorf("called as %s", got)
	}
}

// A caller's options win over the defaults, and its interceptors see an *Error.
func TestOptionsOfTheCallersOwn(t *testing.T) {
	server := strongroomtest.Start(t)
	config, seen := server.Config("app"), error(nil)
	config.UserAgent = "billing/1.2"
	config.Options = []grpc.DialOption{
		grpc.WithUserAgent("billing/2"),
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			seen = invoke(ctx, method, req, reply, cc, opts...)
			return seen
		}),
	}
	_, err := dial(t, server.Address, config).KMS.CreateKey(t.Context(), &kmsv1.CreateKeyRequest{})
	if e, ok := errors.AsType[*client.Error](seen); !ok || e.Name != "AccessDeniedException" || !errors.Is(err, seen) {
		t.Errorf("the interceptor saw %v, the caller %v", seen, err)
	}
	if got := server.Events()[0].UserAgent; !strings.HasPrefix(got, "billing/2 ") {
		t.Errorf("the user agent is %q", got)
	}
}

// A call that could not be sent is made when there is a connection again, also if
// it changes something.
func TestAKeyIsMadeWhenTheServerIsBack(t *testing.T) {
	for name, first := range map[string]func() (net.Conn, error){
		"nobody listens":          func() (net.Conn, error) { return nil, syscall.ECONNREFUSED },
		"closed in the handshake": closedConnection,
	} {
		t.Run(name, func(t *testing.T) {
			server := strongroomtest.Start(t)
			config, attempts := server.Config("admin"), 0
			config.Retries = 20 // for slow machines
			config.Options = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				if attempts++; attempts == 1 {
					return first()
				}
				return new(net.Dialer).DialContext(ctx, "tcp", address)
			})}
			if _, err := dial(t, server.Address, config).KMS.CreateKey(t.Context(), &kmsv1.CreateKeyRequest{}); err != nil {
				t.Error(err)
			}
			if events := server.Events(); attempts != 2 || len(events) != 1 {
				t.Errorf("%d connections and %d events, want two and one", attempts, len(events))
			}
		})
	}
}

// closedConnection is what a server that has too many makes of one.
func closedConnection() (net.Conn, error) {
	ours, theirs := net.Pipe()
	return ours, theirs.Close()
}

func TestConnect(t *testing.T) {
	server := strongroomtest.Start(t)
	if err := dial(t, server.Address, server.Config("app")).Connect(t.Context()); err != nil {
		t.Error(err)
	}
	closed, err := client.Dial(server.Address, server.Config("app"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(closed.Close(), closed.Connect(t.Context())); err == nil || !strings.HasSuffix(err.Error(), "the client is closed") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := dial(t, "127.0.0.1:1", server.Config("app")).Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestDialNamesTheFieldsThatAreMissing(t *testing.T) {
	for want, config := range map[string]client.Config{
		"client.Config needs CACert, ClientCert, ClientKey, or TLS": {},
		"client.Config needs ClientKey, or TLS":                     {CACert: "ca.pem", ClientCert: "me.pem"},
	} {
		if _, err := client.Dial("127.0.0.1:1", config); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A certificate that the server does not take is named, at once.
func TestACertificateThatTheServerDoesNotTake(t *testing.T) {
	server, other := strongroomtest.Start(t), strongroomtest.Start(t)
	config := other.Config("app")
	config.CACert = server.Config("app").CACert
	began := time.Now()
	err := random(t.Context(), dial(t, server.Address, config))
	want := "the server refused the client certificate " + config.ClientCert
	if err == nil || !strings.HasPrefix(err.Error(), want) || time.Since(began) > 10*time.Second {
		t.Errorf("got %v after %v, want %q", err, time.Since(began), want)
	}
}

func TestTLSOfTheCallersOwn(t *testing.T) {
	server := strongroomtest.Start(t)
	files := server.Config("app")
	cert, err := tls.LoadX509KeyPair(files.ClientCert, files.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(files.CACert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{cert}}
	if err := random(t.Context(), dial(t, server.Address, client.Config{TLS: config, UserAgent: "billing/1.2"})); err != nil {
		t.Fatal(err)
	}
	if got := server.Events()[0].UserAgent; !strings.HasPrefix(got, "billing/1.2 grpc-go/") {
		t.Errorf("the user agent is %q", got)
	}
}

func TestDialNeedsGoodFiles(t *testing.T) {
	server := strongroomtest.Start(t)
	good := server.Config("app")
	for want, spoil := range map[string]func(*client.Config){
		"reading the CA certificate: open none.pem":         func(c *client.Config) { c.CACert = "none.pem" },
		"has no certificate in PEM form":                    func(c *client.Config) { c.CACert = c.ClientKey },
		"loading the client certificate none.pem":           func(c *client.Config) { c.ClientCert = "none.pem" },
		"loading the client certificate " + good.ClientCert: func(c *client.Config) { c.ClientKey = server.Config("admin").ClientKey },
	} {
		config := good
		spoil(&config)
		if _, err := client.Dial(server.Address, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
