package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/keystore"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

func TestOperationsKnowTheirCaller(t *testing.T) {
	h := newHarness(t)
	callers := make(chan keystore.Caller, 1)
	h.kms.describeKey = func(ctx context.Context, _ *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
		caller, _ := keystore.CallerFrom(ctx)
		callers <- caller
		return &kmsv1.DescribeKeyResponse{}, nil
	}
	h.operator.streamEvents = func(s grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
		caller, _ := keystore.CallerFrom(s.Context())
		callers <- caller
		return nil
	}
	h.start()
	alice, stranger := h.ca.client(aliceName), h.ca.client("stranger.example")

	for _, test := range []struct {
		name      string
		cert      tls.Certificate
		version   uint16
		principal string
		tls       keystore.TLS
	}{
		{"known name", alice, tls.VersionTLS13, aliceARN,
			keystore.TLS{Version: "TLSv1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", Host: "127.0.0.1"}},
		{"TLS 1.2", alice, tls.VersionTLS12, aliceARN,
			keystore.TLS{Version: "TLSv1.2", CipherSuite: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Host: "127.0.0.1"}},
		{"unknown name has no principal", stranger, tls.VersionTLS13, "",
			keystore.TLS{Version: "TLSv1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", Host: "127.0.0.1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn := h.dialTLS(&tls.Config{RootCAs: h.ca.pool(), Certificates: []tls.Certificate{test.cert},
				MinVersion: tls.VersionTLS12, MaxVersion: test.version})
			sum := sha256.Sum256(test.cert.Certificate[0])
			want := keystore.Caller{
				FrontEnd:   keystore.FrontEndGRPC,
				Principal:  test.principal,
				Credential: "sha256:" + hex.EncodeToString(sum[:]),
				SourceIP:   "127.0.0.1",
				UserAgent:  "test-client/1 grpc-go/" + grpc.Version,
				TLS:        &test.tls,
			}
			for name, call := range map[string]func(*metadata.MD) error{
				"unary":  func(md *metadata.MD) error { return callDescribeKey(h, conn, md) },
				"stream": func(md *metadata.MD) error { return callStreamEvents(h, conn, md) },
			} {
				var header metadata.MD
				if err := call(&header); err != nil {
					t.Fatal(name, err)
				}
				got := <-callers
				if _, err := uuid.Parse(got.RequestID); err != nil {
					t.Errorf("%s: request id %q: %v", name, got.RequestID, err)
				}
				if answered := header.Get("x-amzn-requestid"); !slices.Equal(answered, []string{got.RequestID}) {
					t.Errorf("%s: header has request id %v, the operation %s", name, answered, got.RequestID)
				}
				if got.Time.IsZero() {
					t.Errorf("%s: no time", name)
				}
				got.RequestID, got.Time = "", time.Time{}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: caller (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

func callDescribeKey(h *harness, conn *grpc.ClientConn, header *metadata.MD) error {
	_, err := kmsv1.NewKeyManagementServiceClient(conn).DescribeKey(h.context(), &kmsv1.DescribeKeyRequest{}, grpc.Header(header))
	return err
}

// callStreamEvents calls StreamEvents and reads it to its end.
func callStreamEvents(h *harness, conn *grpc.ClientConn, header *metadata.MD) error {
	s, err := operatorv1.NewOperatorServiceClient(conn).StreamEvents(h.context(), &operatorv1.StreamEventsRequest{}, grpc.Header(header))
	if err != nil {
		return err
	}
	if _, err := s.Recv(); err != nil && status.Code(err) != codes.Unknown {
		return err
	}
	*header, err = s.Header()
	return err
}

func TestConnectionsWithoutCertificateAreToldSo(t *testing.T) {
	h := newHarness(t).start()
	conn := h.dialTLS(&tls.Config{RootCAs: h.ca.pool(), MinVersion: tls.VersionTLS12})
	for name, call := range map[string]func() error{
		"operation": func() error { return callDescribeKey(h, conn, &metadata.MD{}) },
		"stream":    func() error { return callStreamEvents(h, conn, &metadata.MD{}) },
		"unknown method": func() error {
			return conn.Invoke(h.context(), "/no.Such/Method", &kmsv1.DescribeKeyRequest{}, &kmsv1.DescribeKeyResponse{})
		},
		"health":     func() error { return checkHealth(h, conn) },
		"reflection": func() error { return listServices(h, conn) },
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			wantError(t, err, codes.Unauthenticated, "MissingAuthenticationTokenException")
			if !strings.Contains(err.Error(), "client certificate") {
				t.Errorf("the message does not name the certificate: %v", err)
			}
		})
	}
	if len(h.rejected) != 0 {
		t.Error("a stranger's request was recorded")
	}
}

func listServices(h *harness, conn *grpc.ClientConn) error {
	s, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(h.context())
	if err != nil {
		return err
	}
	// The server may have refused already: then Recv has the reason.
	_ = s.Send(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
	})
	answer, err := s.Recv()
	if err != nil {
		return err
	}
	for _, service := range answer.GetListServicesResponse().GetService() {
		if service.GetName() == "strongroom.kms.v1.KeyManagementService" {
			return s.CloseSend()
		}
	}
	return errors.New("the key management service is not listed")
}

func TestReflectionListsTheServices(t *testing.T) {
	h := newHarness(t).start()
	if err := listServices(h, h.dial()); err != nil {
		t.Error(err)
	}
}

func TestHandshakesThatFail(t *testing.T) {
	h := newHarness(t).start()
	other := newAuthority(t)
	good := h.ca.client(aliceName)
	for name, config := range map[string]*tls.Config{
		"certificate of another CA": {Certificates: []tls.Certificate{other.client(aliceName)}, MinVersion: tls.VersionTLS12},
		"expired certificate":       {Certificates: []tls.Certificate{h.ca.issue(time.Now().Add(-time.Minute), aliceName)}, MinVersion: tls.VersionTLS12},
		"TLS 1.1":                   {Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
	} {
		t.Run(name, func(t *testing.T) {
			config.RootCAs = h.ca.pool()
			// Whatever the server asks for, show the certificate.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &config.Certificates[0], nil
			}
			err := callDescribeKey(h, h.dialTLS(config), &metadata.MD{})
			if status.Code(err) != codes.Unavailable {
				t.Errorf("got %v, want no connection", err)
			}
		})
	}
	t.Run("no TLS", func(t *testing.T) {
		conn, err := grpc.NewClient(h.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := callDescribeKey(h, conn, &metadata.MD{}); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v, want no connection", err)
		}
	})
}

func TestDrainLetsRequestsFinishAndEndsStreams(t *testing.T) {
	h := newHarness(t)
	entered, release := make(chan struct{}, 2), make(chan struct{})
	h.kms.describeKey = func(context.Context, *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
		entered <- struct{}{}
		<-release
		return &kmsv1.DescribeKeyResponse{}, nil
	}
	h.operator.streamEvents = func(s grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
		entered <- struct{}{}
		<-s.Context().Done()
		return s.Context().Err()
	}
	h.start()
	conn := h.dial()
	unary, streamed := make(chan error, 1), make(chan error, 1)
	go func() { unary <- callDescribeKey(h, conn, &metadata.MD{}) }()
	go func() { streamed <- callStreamEvents(h, conn, &metadata.MD{}) }()
	<-entered
	<-entered

	h.stop()
	wantError(t, <-streamed, codes.Unavailable, "ServiceUnavailableException")
	close(release)
	if err := <-unary; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if err := <-h.served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", h.addr); err == nil {
		t.Error("the listener is still open")
	}
}

// TestAStreamEndsWithTheNameOfItsCertificate takes the name from the principal, or
// gives it to another one, while a stream is open, as with a stolen certificate.
func TestAStreamEndsWithTheNameOfItsCertificate(t *testing.T) {
	for name, change := range map[string]func(*harness){
		"nobody's":  func(h *harness) { h.known.Delete(aliceName) },
		"another's": func(h *harness) { h.known.Store(aliceName, "arn:aws:iam::000000000000:user/bob") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.operator.streamEvents = func(s grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
				if err := s.Send(&operatorv1.StreamEventsResponse{}); err != nil {
					return err
				}
				change(h)
				return s.Send(&operatorv1.StreamEventsResponse{})
			}
			stream, err := operatorv1.NewOperatorServiceClient(h.start().dial()).StreamEvents(h.context(), &operatorv1.StreamEventsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			_, err = stream.Recv()
			wantError(t, err, codes.Unauthenticated, "UnrecognizedClientException")
		})
	}
}

func TestDrainIsBounded(t *testing.T) {
	h := newHarness(t)
	h.config.DrainTimeout = 20 * time.Millisecond
	entered := make(chan struct{})
	h.kms.describeKey = func(ctx context.Context, _ *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	h.start()
	conn, answered := h.dial(), make(chan error, 1)
	go func() { answered <- callDescribeKey(h, conn, &metadata.MD{}) }()
	<-entered
	h.stop()
	if err := <-h.served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := <-answered; status.Code(err) != codes.Unavailable {
		t.Errorf("the request cut off: %v, want Unavailable", err)
	}
	if !strings.Contains(h.log.String(), "cut off") {
		t.Errorf("the log does not say that requests were cut off:\n%s", h.log)
	}
}

func TestServeReportsAFailedListener(t *testing.T) {
	h := newHarness(t)
	s, err := New(h.config)
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), lis); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"Default is needed":       func(c *Config) { c.Default = nil },
		"Operator is needed":      func(c *Config) { c.Operator = nil },
		"Health is needed":        func(c *Config) { c.Health = nil },
		"Reject is needed":        func(c *Config) { c.Reject = nil },
		"Principals is needed":    func(c *Config) { c.Principals = nil },
		"at most MaxDeadline":     func(c *Config) { c.DefaultDeadline = time.Hour },
		"positive DrainTimeout":   func(c *Config) { c.DrainTimeout = -1 },
		"positive MaxInFlight":    func(c *Config) { c.MaxInFlight = -1 },
		"positive MaxConnections": func(c *Config) { c.MaxConnections = -1 },
		"no-such-file":            func(c *Config) { c.TLS.Certificate = "no-such-file" },
		"no certificate in it":    func(c *Config) { c.TLS.ClientCA = c.TLS.Key },
	} {
		t.Run(want, func(t *testing.T) {
			c := newHarness(t).config
			change(&c)
			if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want an error with %q", err, want)
			}
		})
	}
}

func TestConnectionsBeyondTheLimitAreClosed(t *testing.T) {
	h := newHarness(t)
	h.config.MaxConnections = 1
	h.start()
	first, second := h.dial(), h.dial()
	if err := callDescribeKey(h, first, &metadata.MD{}); err != nil {
		t.Fatal(err)
	}
	if err := callDescribeKey(h, second, &metadata.MD{}); status.Code(err) != codes.Unavailable {
		t.Errorf("second connection: %v, want Unavailable", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := kmsv1.NewKeyManagementServiceClient(second).DescribeKey(h.context(), &kmsv1.DescribeKeyRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Errorf("second connection, once the first has closed: %v", err)
	}
	h.end()
	if !strings.Contains(h.log.String(), "some of it was refused") {
		t.Errorf("the log does not tell of the connection that was closed:\n%s", h.log)
	}
}

func TestServeWithAnEndedContextOnlyCleansUp(t *testing.T) {
	s, err := New(newHarness(t).config)
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx, lis); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", lis.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}
