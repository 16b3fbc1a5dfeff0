package connect

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// conn is a connection that waits at its close until it may go on.
type conn struct {
	closed chan struct{} // told when Close has begun
	free   chan struct{} // closed when calls in flight have ended
}

func newConn() *conn { return &conn{closed: make(chan struct{}, 1), free: make(chan struct{})} }

func (c *conn) Close(ctx context.Context) error {
	c.closed <- struct{}{}
	select {
	case <-c.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dialTo makes a dial that succeeds when it is let go.
func dialTo(c *conn, let <-chan struct{}) func(context.Context) (*conn, error) {
	return func(ctx context.Context) (*conn, error) {
		select {
		case <-let:
			return c, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func now() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func wants(t *testing.T, s *Set[*conn], want State) {
	t.Helper()
	if got := s.State("a"); got != want {
		t.Errorf("the state is %v, want %v", got, want)
	}
	if _, ok := s.Get("a"); ok != (want == Connected) {
		t.Errorf("in state %v the connection is to be had: %t", want, ok)
	}
	if all := s.Connected(); (len(all) == 1) != (want == Connected) {
		t.Errorf("in state %v there are connections %v", want, all)
	}
}

func TestAConnectionGoesThroughItsStates(t *testing.T) {
	s, c := NewSet[*conn](), newConn()
	let, ended := make(chan struct{}), make(chan error, 1)
	wants(t, s, Disconnected)
	if !s.Connect("a", dialTo(c, let), func(err error) { ended <- err }) {
		t.Fatal("a new store is not connected")
	}
	wants(t, s, Connecting)
	if s.Connect("a", dialTo(c, let), nil) {
		t.Error("a store is connected twice")
	}
	close(let)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	wants(t, s, Connected)

	if !s.Disconnect("a", func(err error) { ended <- err }) {
		t.Fatal("a connected store is not disconnected")
	}
	wants(t, s, Disconnecting)
	<-c.closed
	if s.Disconnect("a", nil) || s.Connect("a", dialTo(c, now()), nil) {
		t.Error("a store that is being disconnected is disconnected again, or connected")
	}
	close(c.free)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	wants(t, s, Disconnected)
	if s.Disconnect("a", nil) {
		t.Error("a disconnected store is disconnected")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADialThatFailsLeavesTheStoreDisconnected(t *testing.T) {
	s, ended, wrong := NewSet[*conn](), make(chan error, 1), errors.New("wrong password")
	for range 2 {
		s.Connect("a", func(context.Context) (*conn, error) { return nil, wrong }, func(err error) { ended <- err })
		if err := <-ended; !errors.Is(err, wrong) {
			t.Fatalf("got %v, want %v", err, wrong)
		}
		wants(t, s, Disconnected)
	}
}

func TestADialCanBeGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		dial func(c *conn) func(context.Context) (*conn, error)
		want error
	}{
		"one that heeds its context": {func(c *conn) func(context.Context) (*conn, error) { return dialTo(c, nil) }, context.Canceled},
		"one that succeeds nevertheless": {func(c *conn) func(context.Context) (*conn, error) {
			return func(ctx context.Context) (*conn, error) { <-ctx.Done(); return c, nil }
		}, ErrGivenUp},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := NewSet[*conn](), newConn()
			close(c.free)
			dialed, ended := make(chan error, 1), make(chan error, 1)
			s.Connect("a", test.dial(c), func(err error) { dialed <- err })
			s.Disconnect("a", func(err error) { ended <- err })
			if err := <-dialed; !errors.Is(err, test.want) {
				t.Errorf("the dial ended with %v, want %v", err, test.want)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			wants(t, s, Disconnected)
			if open := len(c.closed); (open == 1) != (errors.Is(test.want, ErrGivenUp)) {
				t.Errorf("the connection was closed %d times", open)
			}
		})
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s, c := NewSet[*conn](), newConn()
	connected, dialed := make(chan error, 1), make(chan error, 1)
	s.Connect("a", dialTo(c, now()), func(err error) { connected <- err })
	if err := <-connected; err != nil {
		t.Fatal(err)
	}
	s.Connect("b", dialTo(newConn(), nil), func(err error) { dialed <- err })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Close(ctx) }()
	<-c.closed
	cancel() // the calls in flight take too long
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Close answers %v", err)
	}
	if err := <-dialed; !errors.Is(err, context.Canceled) {
		t.Errorf("the dial ended with %v", err)
	}
	if s.Connect("c", dialTo(c, now()), nil) {
		t.Error("a closed set connects")
	}
	if got := []State{s.State("a"), s.State("b")}; !slices.Equal(got, []State{Disconnected, Disconnected}) {
		t.Errorf("the states are %v", got)
	}
}
