package daemon

import (
	"net"
	"sync"
	"sync/atomic"
)

// channels counts the connections that listeners have open.
type channels struct{ open atomic.Int64 }

// at returns the listener, whose connections are counted.
func (c *channels) at(l net.Listener) net.Listener { return &countedListener{Listener: l, channels: c} }

type countedListener struct {
	net.Listener
	channels *channels
}

// Accept is part of net.Listener.
func (l *countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.channels.open.Add(1)
	return &countedConn{Conn: conn, closed: sync.OnceFunc(func() { l.channels.open.Add(-1) })}, nil
}

type countedConn struct {
	net.Conn
	closed func()
}

// Close is part of net.Conn.
func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
