package server

import (
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// boundedListener has at most limit connections open. It closes what comes
// beyond rather than let it wait: a client hears at once that it has to look
// elsewhere, and the backlog of the kernel stays free.
type boundedListener struct {
	net.Listener
	limit    int64
	patience time.Duration
	overload *overload

	mu sync.Mutex
	// handshaking are the connections that have nothing to lose yet.
	handshaking map[*boundedConn]struct{}
	hushed      bool // no more handshakes
}

// hush closes the connections whose handshake is not over, and those that come
// later: gRPC tells its connections of the end only when no handshake is under
// way, and one peer that says nothing would keep the others waiting.
func (l *boundedListener) hush() {
	l.mu.Lock()
	l.hushed = true
	silent := slices.Collect(maps.Keys(l.handshaking))
	l.mu.Unlock()
	for _, c := range silent {
		_ = c.Close() // No request has come on it.
	}
}

// begin notes a connection, unless there are to be no more.
func (l *boundedListener) begin(c *boundedConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.hushed {
		l.handshaking[c] = struct{}{}
	}
	return !l.hushed
}

// over says that a connection's handshake has ended, or the connection itself.
func (l *boundedListener) over(c *boundedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.handshaking, c)
}

// Accept is part of net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.overload.open.Add(1) <= l.limit {
			bounded := &boundedConn{Conn: conn, listener: l}
			if l.begin(bounded) {
				return bounded, nil
			}
			_ = bounded.Close()
			continue
		}
		l.overload.open.Add(-1)
		l.overload.connections.Add(1)
		_ = conn.Close() // Nothing was written, so nothing is lost.
	}
}

// boundedConn fails when its peer takes nothing for the listener's patience:
// answers would pile up here for a client that does not read them.
type boundedConn struct {
	net.Conn
	listener *boundedListener
	once     sync.Once
	// timed says that somebody else has set a deadline for writing.
	timed atomic.Bool
}

// Write is part of net.Conn.
func (c *boundedConn) Write(p []byte) (int, error) {
	if !c.timed.Load() {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.listener.patience)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// SetDeadline is part of net.Conn. gRPC sets one for the handshake, that of
// HTTP/2 included, and takes it back afterwards.
func (c *boundedConn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.listener.over(c)
	}
	c.timed.Store(!t.IsZero())
	return c.Conn.SetDeadline(t)
}

// SetWriteDeadline is part of net.Conn.
func (c *boundedConn) SetWriteDeadline(t time.Time) error {
	c.timed.Store(!t.IsZero())
	return c.Conn.SetWriteDeadline(t)
}

// Close is part of net.Conn.
func (c *boundedConn) Close() error {
	c.once.Do(func() {
		c.listener.over(c)
		c.listener.overload.open.Add(-1)
	})
	return c.Conn.Close()
}
