package server

import (
	"crypto/tls"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/strongroom-kms/strongroom/keystore"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func TestLoad(t *testing.T) {
	h, entered := busy(t, func(c *Config) { c.MaxInFlight, c.MaxConnections = 8, 3 })
	if l := h.server.Load(); l != (Load{MaxInFlight: 8, MaxConnections: 3}) {
		t.Errorf("the load before the first request is %+v", l)
	}
	alice, bob := h.dial(), h.dial(h.ca.client(bobName))
	occupy(t, h, entered, 2, alice, callDescribeKey)
	occupy(t, h, entered, 1, bob, callStreamEvents)
	if l := h.server.Load(); l != (Load{InFlight: 2, MaxInFlight: 8, Streams: 1, Connections: 2, MaxConnections: 3}) {
		t.Errorf("the load is %+v", l)
	}
}

// refusedWatch is an observer that keeps what it is told.
type refusedWatch struct {
	mu  sync.Mutex
	all []keystore.Answered
}

// Answered implements keystore.Observer.
func (w *refusedWatch) Answered(a keystore.Answered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, a)
}

// take returns what it was told since the last time.
func (w *refusedWatch) take() []keystore.Answered {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.all
	w.all = nil
	return taken
}

// Requests that are refused without an event are observed here, since the keystore does not
// hear of them; what the caller calls an operation that there is not is no operation.
func TestRefusalsWithoutAnEventAreObserved(t *testing.T) {
	watch := new(refusedWatch)
	h, entered := busy(t, func(c *Config) { c.MaxInFlight, c.Observer = 1, watch })
	h.server.admission.refusals = newPool(0, "refusals being recorded", "not configurable")
	stranger := h.dialTLS(&tls.Config{RootCAs: h.ca.pool(), MinVersion: tls.VersionTLS12})
	wantError(t, callDescribeKey(h, stranger, &metadata.MD{}), codes.Unauthenticated, "MissingAuthenticationTokenException")
	err := stranger.Invoke(h.context(), "/no.Such/Method", &kmsv1.DescribeKeyRequest{}, &kmsv1.DescribeKeyResponse{})
	wantError(t, err, codes.Unauthenticated, "MissingAuthenticationTokenException")
	wantError(t, checkHealth(h, stranger), codes.Unauthenticated, "MissingAuthenticationTokenException")
	conn := h.dial()
	occupy(t, h, entered, 1, conn, callDescribeKey)
	wantError(t, callDescribeKey(h, conn, &metadata.MD{}), codes.ResourceExhausted, "ThrottlingException")
	want := []keystore.Answered{
		{Operation: "DescribeKey", FrontEnd: keystore.FrontEndGRPC, Error: "MissingAuthenticationTokenException"},
		{FrontEnd: keystore.FrontEndGRPC, Error: "MissingAuthenticationTokenException"},
		{Operation: "DescribeKey", FrontEnd: keystore.FrontEndGRPC, Error: "ThrottlingException"},
	}
	if got := watch.take(); !slices.Equal(got, want) {
		t.Errorf("observed %+v, want %+v", got, want)
	}
}
