package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/keystore"
	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

const (
	aliceName = "spiffe://corp.example/alice"
	aliceARN  = "arn:aws:iam::000000000000:user/alice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeKMS answers DescribeKey by function.
type fakeKMS struct {
	cloudtrailv1.UnimplementedCloudTrailServiceServer
	logsv1.UnimplementedLogsServiceServer
	cloudhsmv1.UnimplementedCloudHsmServiceServer
	cloudwatchv1.UnimplementedCloudWatchServiceServer
	kmsv1.UnimplementedKeyManagementServiceServer
	describeKey func(context.Context, *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error)
}

func (f *fakeKMS) DescribeKey(ctx context.Context, r *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
	return f.describeKey(ctx, r)
}

// fakeOperator answers StreamEvents by function.
type fakeOperator struct {
	operatorv1.UnimplementedOperatorServiceServer
	streamEvents func(grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error
}

func (f *fakeOperator) StreamEvents(_ *operatorv1.StreamEventsRequest, s grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
	return f.streamEvents(s)
}

// harness is a server on a real socket with certificates of its own.
type harness struct {
	t        testing.TB
	ca       *authority
	config   Config
	kms      *fakeKMS
	operator *fakeOperator
	known    sync.Map // the principals' ARNs by certificate name
	log      *lockedBuffer
	rejected chan rejection // what Config.Reject was given
	// recording, if set, is told of a rejection, which waits for release.
	recording chan<- struct{}
	release   <-chan struct{}
	addr      string
	server    *Server
	stop      context.CancelFunc
	served    chan error // Serve's result
}

type rejection struct {
	caller keystore.Caller
	method string
	err    *keystore.Error
}

// newHarness prepares a server; start serves it.
func newHarness(t testing.TB) *harness {
	t.Helper()
	h := &harness{
		t: t, ca: newAuthority(t), log: &lockedBuffer{},
		kms: &fakeKMS{}, operator: &fakeOperator{},
		rejected: make(chan rejection, 10), served: make(chan error, 1),
	}
	h.kms.describeKey = func(context.Context, *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
		return &kmsv1.DescribeKeyResponse{}, nil
	}
	h.known.Store(aliceName, aliceARN)
	h.config = Config{
		Default:    h.kms,
		Operator:   h.operator,
		Health:     func() error { return nil },
		Reject:     h.reject,
		TLS:        h.ca.files(t.TempDir()),
		Principals: h.principalOf,
		Logger:     hclog.New(&hclog.LoggerOptions{Output: h.log, Level: hclog.Info}),
	}
	return h
}

// principalOf is Config.Principals.
func (h *harness) principalOf(uris, dns []string) string {
	for _, names := range [][]string{uris, dns} {
		for _, name := range names {
			if arn, ok := h.known.Load(name); ok {
				return arn.(string)
			}
		}
	}
	return ""
}

func (h *harness) reject(ctx context.Context, method string, err *keystore.Error) error {
	caller, _ := keystore.CallerFrom(ctx)
	if h.recording != nil {
		h.recording <- struct{}{}
		<-h.release
	}
	h.rejected <- rejection{caller: caller, method: method, err: err}
	return err
}

// rejection returns what Config.Reject was given for a request that has been
// answered.
func (h *harness) rejection(t *testing.T) rejection {
	t.Helper()
	select {
	case r := <-h.rejected:
		return r
	default:
		t.Fatal("the request was not recorded")
		return rejection{}
	}
}

func (h *harness) start() *harness {
	h.t.Helper()
	s, err := New(h.config)
	if err != nil {
		h.t.Fatal(err)
	}
	h.server = s
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	h.addr = lis.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.served <- s.Serve(ctx, lis)
	}()
	h.t.Cleanup(func() {
		cancel()
		<-done
	})
	return h
}

// dial connects with the certificates, alice's when there are none.
func (h *harness) dial(certs ...tls.Certificate) *grpc.ClientConn {
	h.t.Helper()
	if len(certs) == 0 {
		certs = []tls.Certificate{h.ca.client(aliceName)}
	}
	return h.dialTLS(&tls.Config{RootCAs: h.ca.pool(), Certificates: certs, MinVersion: tls.VersionTLS12})
}

// end stops the server and waits until nothing of it runs: its log is complete.
func (h *harness) end() {
	h.t.Helper()
	h.stop()
	if err := <-h.served; err != nil {
		h.t.Errorf("Serve: %v", err)
	}
}

func (h *harness) dialTLS(config *tls.Config) *grpc.ClientConn {
	h.t.Helper()
	conn, err := grpc.NewClient(h.addr, grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithUserAgent("test-client/1"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (h *harness) client(certs ...tls.Certificate) kmsv1.KeyManagementServiceClient {
	h.t.Helper()
	return kmsv1.NewKeyManagementServiceClient(h.dial(certs...))
}

// context bounds what a test waits for.
func (h *harness) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	h.t.Cleanup(cancel)
	return ctx
}

// wantError checks an error's code and the reason in its details.
func wantError(t testing.TB, err error, code codes.Code, reason string) {
	t.Helper()
	s := status.Convert(err)
	if s.Code() != code {
		t.Errorf("code %v, want %v (%v)", s.Code(), code, err)
	}
	info := errorInfo(err)
	if info.GetReason() != reason || info.GetDomain() != "kms.amazonaws.com" {
		t.Errorf("error info %v, want reason %s of kms.amazonaws.com (%v)", info, reason, err)
	}
}

func errorInfo(err error) *errdetails.ErrorInfo {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

// lockedBuffer is a log that tests read while the server writes it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
