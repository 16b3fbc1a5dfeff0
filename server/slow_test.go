package server

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// window is HTTP/2's default.
const window = 1<<16 - 1

// What grpc-status is in such answers.
const (
	canceled          = "1"
	deadlineExceeded  = "4"
	resourceExhausted = "8"
	unimplemented     = "12"
	unauthenticated   = "16"
)

// A request whose message does not come, or not to its end, holds its place
// until its deadline. gRPC answers it, so that it leaves no event.
func TestMessagesThatDoNotComeEndWithTheDeadline(t *testing.T) {
	h := newHarness(t)
	h.config.DefaultDeadline, h.config.MaxDeadline = 50*time.Millisecond, 100*time.Millisecond
	h.config.MaxInFlight = 1
	h.start()
	client := h.dialRaw(t, window, h.ca.client(aliceName))
	for name, test := range map[string]struct {
		method string
		header []string
		part   string
		code   string
	}{
		"no byte of it":            {describeKeyMethod, nil, "", deadlineExceeded},
		"half of its length":       {describeKeyMethod, nil, "\x00\x00", deadlineExceeded},
		"all but its end":          {describeKeyMethod, nil, "\x00\x00\x00\x02\x00x", deadlineExceeded},
		"with a deadline too long": {describeKeyMethod, []string{"grpc-timeout", "1H"}, "", deadlineExceeded},
		"a stream's":               {streamEventsMethod, nil, "\x00\x00", canceled},
	} {
		t.Run(name, func(t *testing.T) {
			client.headers(test.method, test.header...)
			if test.part != "" {
				client.data([]byte(test.part), false)
			}
			if code, _ := client.status(); code != test.code {
				t.Errorf("answered with code %s, want %s", code, test.code)
			}
			await(t, "its place is free", func() bool {
				return h.server.admission.requests.inUse()+h.server.admission.following.inUse() == 0
			})
		})
	}
}

// await waits until something has happened.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !happened(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%s: not after 30s", what)
		}
	}
}

// Connections that get nowhere are closed, and give their places back.
func TestConnectionsThatGetNowhereAreClosed(t *testing.T) {
	h := newHarness(t)
	h.config.patience = time.Second
	h.config.MaxConnections = 4
	h.start()
	alice := []tls.Certificate{h.ca.client(aliceName)}
	hello := []byte{22, 3, 1, 0, 200, 1, 0} // the beginning of a ClientHello
	stuck := map[string]net.Conn{
		"silent":               dialTCP(t, h, nil),
		"half a handshake":     dialTCP(t, h, hello),
		"no preface of HTTP/2": dialTLS(t, h, nil, alice),
		"half a preface":       dialTLS(t, h, []byte("PRI * HTTP"), alice),
	}
	for name, conn := range stuck {
		t.Run(name, func(t *testing.T) { awaitClosed(t, conn) })
	}
	await(t, "their places are free", func() bool { return h.server.overload.open.Load() == 0 })
	if err := callDescribeKey(h, h.dial(), &metadata.MD{}); err != nil {
		t.Errorf("another connection: %v", err)
	}
}

// Connections that get nowhere do not hold up the end, for which the others
// would wait until they are cut off.
func TestConnectionsThatGetNowhereDoNotHoldUpTheEnd(t *testing.T) {
	h := newHarness(t)
	h.config.DrainTimeout = 10 * time.Second // a handshake may take 15 s
	h.start()
	if err := callDescribeKey(h, h.dial(), &metadata.MD{}); err != nil {
		t.Fatal(err)
	}
	dialTCP(t, h, nil)
	dialTLS(t, h, []byte("PRI * HTTP"), []tls.Certificate{h.ca.client(aliceName)})
	await(t, "three connections are open", func() bool { return h.server.overload.open.Load() == 3 })
	h.end()
	if strings.Contains(h.log.String(), "cut off") {
		t.Errorf("the drain waited for them:\n%s", h.log)
	}
}

// dialTCP connects and writes the beginning of something.
func dialTCP(t *testing.T, h *harness, beginning []byte) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	return started(t, conn, err, beginning)
}

func dialTLS(t *testing.T, h *harness, beginning []byte, certs []tls.Certificate) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", h.addr, &tls.Config{
		RootCAs: h.ca.pool(), Certificates: certs, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13,
	})
	return started(t, conn, err, beginning)
}

func started[C net.Conn](t *testing.T, conn C, err error, beginning []byte) C {
	t.Helper()
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
		_, err = conn.Write(beginning)
	}
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// A client that does not take what it asked for loses its stream, when it is
// HTTP/2's window that is full, or its connection, when it is TCP's.
func TestClientsThatDoNotReadHoldNoStream(t *testing.T) {
	for name, window := range map[string]uint32{"HTTP/2's window": window, "TCP's buffers": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.config.patience = time.Second
			ended := make(chan error, 1)
			h.operator.streamEvents = func(s grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
				text := string(make([]byte, 1<<20))
				for {
					if err := s.Send(&operatorv1.StreamEventsResponse{EventJson: &text}); err != nil {
						ended <- context.Cause(s.Context())
						return err
					}
				}
			}
			client := h.start().dialRaw(t, window, h.ca.client(aliceName))
			client.headers(streamEventsMethod)
			client.data(make([]byte, 5), true)
			if err := <-ended; err == nil {
				t.Error("the stream ended by itself")
			}
			await(t, "its place is free", func() bool { return h.server.admission.following.inUse() == 0 })
		})
	}
}

// What is refused leaves nothing behind, whatever deadline the client has set.
func TestRefusedRequestsLeaveNothingBehind(t *testing.T) {
	h, entered := busy(t, func(c *Config) { c.MaxInFlight = 1 })
	h.server.admission.refusals, h.server.admission.following = newPool(0, "", ""), newPool(0, "", "")
	occupy(t, h, entered, 1, h.dial(), callDescribeKey)
	alice := []tls.Certificate{h.ca.client(aliceName)}
	const long = "99999999H"
	for name, test := range map[string]struct {
		method        string
		certs         []tls.Certificate
		header, value string
		code          string
	}{
		"beyond the hard limit":                  {describeKeyMethod, alice, "grpc-timeout", long, resourceExhausted},
		"without a client certificate":           {describeKeyMethod, nil, "grpc-timeout", long, unauthenticated},
		"a stream beyond the hard limit":         {streamEventsMethod, alice, "grpc-timeout", long, resourceExhausted},
		"a stream, without a client certificate": {streamEventsMethod, nil, "grpc-timeout", long, unauthenticated},
		"an unknown encoding, refused by gRPC":   {streamEventsMethod, nil, "grpc-encoding", "rot13", unimplemented},
	} {
		t.Run(name, func(t *testing.T) {
			client := h.dialRaw(t, window, test.certs...)
			refuse := func(batches int) {
				for range batches {
					for range 100 {
						client.headers(test.method, test.header, test.value)
					}
					for range 100 {
						if code, identified := client.status(); code != test.code || identified {
							t.Fatalf("answered with code %s, with a request id: %t; want %s without", code, identified, test.code)
						}
					}
				}
			}
			refuse(3)
			before := heap()
			refuse(20)
			// Each that stayed would be some 280 bytes.
			if grown := heap() - before; grown > 200<<10 {
				t.Errorf("2000 refused requests have left %d bytes behind", grown)
			}
		})
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
