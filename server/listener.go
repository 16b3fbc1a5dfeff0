package server

import (
	"net"
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
}

// Accept is part of net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.overload.open.Add(1) <= l.limit {
			return &boundedConn{Conn: conn, listener: l}, nil
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

// SetDeadline is part of net.Conn.
func (c *boundedConn) SetDeadline(t time.Time) error {
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
	c.once.Do(func() { c.listener.overload.open.Add(-1) })
	return c.Conn.Close()
}
