package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawClient speaks HTTP/2 by hand, to do what no gRPC client would.
type rawClient struct {
	t      *testing.T
	conn   *tls.Conn
	framer *http2.Framer
	block  bytes.Buffer
	hpack  *hpack.Encoder
	stream uint32 // of the last request
}

// dialRaw makes a connection as far as HTTP/2's preface. The window is how much
// the client says it takes for each request.
func (h *harness) dialRaw(t *testing.T, window uint32, certs ...tls.Certificate) *rawClient {
	t.Helper()
	conn := dialTLS(t, h, []byte(http2.ClientPreface), certs)
	c := &rawClient{t: t, conn: conn, framer: http2.NewFramer(conn, conn)}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.hpack = hpack.NewEncoder(&c.block)
	c.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}))
	if window > 1<<16 {
		c.must(c.framer.WriteWindowUpdate(0, window))
	}
	return c
}

func (c *rawClient) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// headers begins a request of the method; more are names and values of headers.
func (c *rawClient) headers(method string, more ...string) {
	c.t.Helper()
	c.block.Reset()
	all := append([]string{
		":method", "POST", ":scheme", "https", ":path", method, ":authority", "localhost",
		"content-type", "application/grpc", "te", "trailers",
	}, more...)
	for i := 0; i < len(all); i += 2 {
		c.must(c.hpack.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]}))
	}
	c.stream += 2
	c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: c.stream - 1, BlockFragment: c.block.Bytes(), EndHeaders: true,
	}))
}

// data sends bytes of the last request's message.
func (c *rawClient) data(p []byte, end bool) {
	c.t.Helper()
	c.must(c.framer.WriteData(c.stream-1, end, p))
}

// status reads until a request has been answered and returns its grpc-status,
// and whether the answer had a request id.
func (c *rawClient) status() (code string, identified bool) {
	c.t.Helper()
	c.must(c.conn.SetReadDeadline(time.Now().Add(30 * time.Second)))
	for {
		frame, err := c.framer.ReadFrame()
		c.must(err)
		headers, ok := frame.(*http2.MetaHeadersFrame)
		if !ok {
			continue
		}
		for _, f := range headers.Fields {
			switch f.Name {
			case "grpc-status":
				return f.Value, identified
			case requestIDHeader:
				identified = true
			}
		}
	}
}

// awaitClosed reads until the server has closed the connection.
func awaitClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	for {
		_, err := conn.Read(buf)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatal("the server keeps the connection open")
		}
		if err != nil {
			return
		}
	}
}
