//go:build cgo

package worker

import "sync"

// storing keeps looking for objects apart from making and destroying them, in libraries that
// cannot do both at a time: SoftHSM reads its directory for each C_FindObjectsInit, takes the
// file of an object that is being made for another object, and then one of the two calls
// fails or the new key has wrong attributes.
type storing struct {
	needed bool
	mu     sync.RWMutex
}

// change carries out a call that changes the objects of the token.
func (s *storing) change(do func() error) error {
	if s.needed {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	return do()
}

// look carries out a call that looks through them.
func (s *storing) look(do func() error) error {
	if s.needed {
		s.mu.RLock()
		defer s.mu.RUnlock()
	}
	return do()
}
