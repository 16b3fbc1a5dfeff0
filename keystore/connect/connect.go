// Package connect holds the connections of custom key stores to their HSM
// clusters. Connecting and disconnecting take time, so each goes on in a goroutine
// of the Set; until it has ended the state says so. What is to be connected is the
// caller's to remember.
package connect

import (
	"context"
	"errors"
	"sync"
)

// State is the state of a connection.
type State int

// The states of a connection. A store without one is Disconnected.
const (
	Disconnected State = iota
	Connecting
	Connected
	Disconnecting
)

// Closer is what a connection ends with: Close refuses new calls, waits for those
// in flight until the context ends, and logs out.
type Closer interface {
	Close(ctx context.Context) error
}

// ErrGivenUp is the end of a dial whose connection was not wanted any more.
var ErrGivenUp = errors.New("the connection was given up")

// Set is the connections of stores, at most one for each, by the stores' ids. It
// is safe for concurrent use.
type Set[C Closer] struct {
	// patience ends when connections are to end without waiting for their calls.
	patience  context.Context
	impatient context.CancelFunc

	mu     sync.Mutex
	links  map[string]*link[C]
	closed bool
	work   sync.WaitGroup
}

// link is one connection, from the wish to connect to the end of the logout.
type link[C Closer] struct {
	state  State
	giveUp context.CancelFunc // ends the dial
	dialed chan struct{}      // closed when the dial has ended
	open   bool               // the dial has succeeded
	conn   C                  // if open
}

// NewSet returns an empty Set.
func NewSet[C Closer]() *Set[C] {
	s := &Set[C]{links: map[string]*link[C]{}}
	s.patience, s.impatient = context.WithCancel(context.Background())
	return s
}

// Connect dials for a store that is Disconnected, and answers false for one that
// is not. dial may take long; its context ends when the connection is given up.
// ended is called, once, after the dial: with nil when the store is Connected, with
// the dial's error when it is not, and with ErrGivenUp, and the dial's error if it has
// one, when the connection was given up meanwhile.
func (s *Set[C]) Connect(id string, dial func(context.Context) (C, error), ended func(error)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.links[id] != nil {
		return false
	}
	ctx, giveUp := context.WithCancel(s.patience)
	l := &link[C]{state: Connecting, giveUp: giveUp, dialed: make(chan struct{})}
	s.links[id] = l
	s.work.Go(func() {
		defer giveUp()
		conn, err := dial(ctx)
		ended(s.settle(id, l, conn, err))
	})
	return true
}

// settle takes in how a dial has ended.
func (s *Set[C]) settle(id string, l *link[C], conn C, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(l.dialed)
	l.open, l.conn = err == nil, conn
	switch {
	case l.state == Disconnecting:
		return errors.Join(ErrGivenUp, err)
	case l.open:
		l.state = Connected
	default:
		delete(s.links, id)
	}
	return err
}

// Disconnect ends a connection, or the dial of one, and answers false when there
// is none or it is ending already. From now on the connection is not to be had;
// ended is called, once, when the store is Disconnected.
func (s *Set[C]) Disconnect(id string, ended func(error)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.links[id]
	if l == nil || l.state == Disconnecting {
		return false
	}
	l.state = Disconnecting
	l.giveUp()
	s.work.Go(func() { ended(s.end(id, l)) })
	return true
}

// end closes a connection once its dial has ended.
func (s *Set[C]) end(id string, l *link[C]) (err error) {
	<-l.dialed
	if l.open {
		err = l.conn.Close(s.patience)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, id)
	return err
}

// Get returns the connection of a store that is Connected.
func (s *Set[C]) Get(id string) (conn C, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.links[id]; l != nil && l.state == Connected {
		return l.conn, true
	}
	return conn, false
}

// State returns the state of a store's connection.
func (s *Set[C]) State(id string) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.links[id]; l != nil {
		return l.state
	}
	return Disconnected
}

// Connected returns the connections of all stores that are Connected.
func (s *Set[C]) Connected() map[string]C {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]C{}
	for id, l := range s.links {
		if l.state == Connected {
			all[id] = l.conn
		}
	}
	return all
}

// Close ends every connection and gives up every dial, and waits for that. When
// the context ends first, connections end without waiting for their calls.
func (s *Set[C]) Close(ctx context.Context) error {
	defer s.impatient()
	defer context.AfterFunc(ctx, s.impatient)()
	var mu sync.Mutex
	var errs []error
	for _, id := range s.refuseNew() {
		s.Disconnect(id, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	s.work.Wait()
	return errors.Join(errs...)
}

// refuseNew lets no more connections be made, and returns the ids of those there
// are.
func (s *Set[C]) refuseNew() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for id := range s.links {
		ids = append(ids, id)
	}
	return ids
}
