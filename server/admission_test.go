package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// busy is a harness whose DescribeKey and StreamEvents wait for the end of the
// test, or of the request.
func busy(t *testing.T, change func(*Config)) (h *harness, entered chan struct{}) {
	t.Helper()
	h = newHarness(t)
	entered, release := make(chan struct{}, 1024), make(chan struct{})
	wait := func(ctx context.Context) {
		entered <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
	}
	h.kms.describeKey = func(ctx context.Context, _ *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
		wait(ctx)
		return &kmsv1.DescribeKeyResponse{}, ctx.Err()
	}
	h.operator.streamEvents = func(s grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
		wait(s.Context())
		return s.Context().Err()
	}
	h.known.Store(bobName, bobARN)
	change(&h.config)
	h.start()
	t.Cleanup(func() { close(release) })
	return h, entered
}

const (
	bobName = "spiffe://corp.example/bob"
	bobARN  = "arn:aws:iam::000000000000:user/bob"
)

// occupy makes n calls that enter their operation and stay there.
func occupy(t *testing.T, h *harness, entered <-chan struct{}, n int, conn *grpc.ClientConn, call func(*harness, *grpc.ClientConn, *metadata.MD) error) {
	t.Helper()
	for range n {
		go func() { _ = call(h, conn, &metadata.MD{}) }()
	}
	for range n {
		<-entered
	}
}

func TestBeyondTheLimitRequestsAreRefusedAtOnceAndRecorded(t *testing.T) {
	h, entered := busy(t, func(c *Config) { c.MaxInFlight = 4 })
	alice, bob := h.dial(), h.dial(h.ca.client(bobName))
	occupy(t, h, entered, 3, alice, callDescribeKey)

	for name, test := range map[string]struct {
		call   func(*harness, *grpc.ClientConn, *metadata.MD) error
		method string
	}{
		"an operation":      {callDescribeKey, describeKeyMethod},
		"an unknown method": {callUnknown, unknownMethod},
	} {
		t.Run(name+" of the same caller", func(t *testing.T) {
			wantThrottled(t, h, alice, test.call, test.method, "The caller is at its limit of 3 requests")
		})
	}
	occupy(t, h, entered, 1, bob, callDescribeKey)
	wantThrottled(t, h, bob, callDescribeKey, describeKeyMethod, "The server is at its limit of 4 requests at the same time (limits.max_in_flight)")

	occupy(t, h, entered, 1, alice, callStreamEvents)
	if err := checkHealth(h, alice); err != nil {
		t.Errorf("health while the server is at its limit: %v", err)
	}
}

const unknownMethod = "/strongroom.kms.v1.KeyManagementService/Exfiltrate"

func callUnknown(h *harness, conn *grpc.ClientConn, header *metadata.MD) error {
	return conn.Invoke(h.context(), unknownMethod, &kmsv1.DescribeKeyRequest{}, &kmsv1.DescribeKeyResponse{}, grpc.Header(header))
}

// wantThrottled expects that a call is refused and recorded.
func wantThrottled(t *testing.T, h *harness, conn *grpc.ClientConn, call func(*harness, *grpc.ClientConn, *metadata.MD) error, method, message string) {
	t.Helper()
	var header metadata.MD
	err := call(h, conn, &header)
	wantError(t, err, codes.ResourceExhausted, "ThrottlingException")
	if !strings.HasPrefix(status.Convert(err).Message(), message) {
		t.Errorf("message %q, want %q", status.Convert(err).Message(), message)
	}
	if d := retryInfo(err); d < 200*time.Millisecond || d > time.Second {
		t.Errorf("the caller is asked to wait %v, want 0.2 to 1 s", d)
	}
	got := h.rejection(t)
	if got.method != method || got.err.Kind != annotationsv1.ErrorKind_ERROR_KIND_THROTTLING || got.caller.Principal == "" {
		t.Errorf("recorded %+v", got)
	}
	if id := header.Get(requestIDHeader); len(id) != 1 || id[0] != got.caller.RequestID {
		t.Errorf("answered request id %v, recorded %s", id, got.caller.RequestID)
	}
}

func retryInfo(err error) time.Duration {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

func TestFollowersHavePlacesOfTheirOwn(t *testing.T) {
	h, entered := busy(t, func(c *Config) { c.MaxInFlight = 1 })
	alice, bob := h.dial(), h.dial(h.ca.client(bobName))
	occupy(t, h, entered, maxFollowing-maxFollowing/4, alice, callStreamEvents)
	err := callStreamEvents(h, alice, &metadata.MD{})
	wantError(t, err, codes.ResourceExhausted, "ThrottlingException")
	if got := h.rejection(t); got.method != streamEventsMethod {
		t.Errorf("recorded %+v", got)
	}
	occupy(t, h, entered, maxFollowing/4, bob, callStreamEvents)
	wantError(t, callStreamEvents(h, bob, &metadata.MD{}), codes.ResourceExhausted, "ThrottlingException")
	occupy(t, h, entered, 1, bob, callDescribeKey)
}

// While no more refusals can be recorded, requests are refused without.
func TestBeyondTheHardLimitRefusalsAreOnlyCounted(t *testing.T) {
	recording, release := make(chan struct{}), make(chan struct{})
	h, entered := busy(t, func(c *Config) { c.MaxInFlight = 1 })
	h.server.admission.refusals = newPool(1, "refusals being recorded", "not configurable")
	h.recording, h.release = recording, release
	conn := h.dial()
	occupy(t, h, entered, 1, conn, callDescribeKey)
	recorded := make(chan error, 1)
	go func() { recorded <- callDescribeKey(h, conn, &metadata.MD{}) }()
	<-recording

	var header metadata.MD
	err := callDescribeKey(h, conn, &header)
	wantError(t, err, codes.ResourceExhausted, "ThrottlingException")
	if retryInfo(err) == 0 {
		t.Error("the caller is not told when to try again")
	}
	if id := header.Get(requestIDHeader); id != nil {
		t.Errorf("a request without an event was answered with the request id %v", id)
	}
	if n := h.server.overload.unrecorded.Load(); n != 1 {
		t.Errorf("%d requests are counted as refused without an event, want 1", n)
	}
	close(release)
	wantError(t, <-recorded, codes.ResourceExhausted, "ThrottlingException")
}

// Health and reflection leave no events, and are not the way around the limits.
func TestHealthRequestsAreBoundedToo(t *testing.T) {
	h, _ := busy(t, func(c *Config) { c.MaxConnections = 4 })
	conn := h.dial()
	for i := range 4 {
		err := watchOnce(h, conn)
		if i < 3 && err != nil {
			t.Errorf("watch %d: %v", i, err)
		} else if i == 3 {
			wantError(t, err, codes.ResourceExhausted, "ThrottlingException")
		}
	}
	if len(h.rejected) != 0 {
		t.Error("a request for health was recorded")
	}
}
