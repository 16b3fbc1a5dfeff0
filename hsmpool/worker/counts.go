//go:build cgo

package worker

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// maxSorts bounds the sorts of calls that are told apart: a library may answer anything.
const maxSorts = 512

// callSort is what calls have in common that are counted together.
type callSort struct {
	function string
	// mechanism is PKCS#11's name; empty if the call names none.
	mechanism string
	rv        ckr.RV
}

// tally counts the calls of one sort. Only take touches what it has taken.
type tally struct {
	calls, nanos           atomic.Uint64
	takenCalls, takenNanos uint64
}

// counts counts what goes through the C_ boundary:
//
//   - the calls of C_ functions, how they ended and the time that they took. A call that the
//     binding makes twice, to learn first how long the answer is, counts once. What crypto11
//     calls on its own account is not seen, but for C_Initialize and C_GenerateRandom.
//   - the octets that go in: IV, AAD and public points, which mechanisms' parameters point
//     to; plaintext, ciphertext, messages and digests; wrapped material; and the values of
//     templates. They count whatever the call returns.
//   - the octets that come out, of calls that succeed: random bytes, ciphertext, plaintext,
//     signatures, wrapped material, digests and the values of attributes.
//
// Handles, numbers, lengths and the structures around them are not octets, nor is the PIN.
//
// All methods may be called by many goroutines. To count a sort that occurred before takes
// no lock.
type counts struct {
	in, out atomic.Uint64
	sorts   atomic.Pointer[map[callSort]*tally]
	keys    sessionKeys

	mu                sync.Mutex // held to add a sort, and to take
	takenIn, takenOut uint64
}

func newCounts() *counts {
	c := &counts{}
	c.sorts.Store(&map[callSort]*tally{})
	return c
}

// call counts a call.
func (c *counts) call(s callSort, took time.Duration) {
	t := (*c.sorts.Load())[s]
	if t == nil {
		t = c.add(s)
	}
	t.calls.Add(1)
	t.nanos.Add(uint64(took))
}

// add returns the tally of a sort that may be new. When there are too many, mechanism and
// code are no longer told apart.
func (c *counts) add(s callSort) *tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := *c.sorts.Load()
	if len(known) >= maxSorts {
		s.mechanism, s.rv = "", min(s.rv, ckr.GeneralError)
	}
	if t := known[s]; t != nil {
		return t
	}
	more := maps.Clone(known)
	more[s] = &tally{}
	c.sorts.Store(&more)
	return more[s]
}

// octets counts bytes that went in and came out.
func (c *counts) octets(in, out int) {
	c.in.Add(uint64(in))
	c.out.Add(uint64(out))
}

// take returns what was counted since it was called last.
func (c *counts) take() *workerv1.Figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &workerv1.Figures{
		OctetsIn: since(&c.in, &c.takenIn), OctetsOut: since(&c.out, &c.takenOut),
		SessionKeys: c.keys.count(),
	}
	for s, t := range *c.sorts.Load() {
		n, nanos := since(&t.calls, &t.takenCalls), since(&t.nanos, &t.takenNanos)
		if n > 0 {
			f.Calls = append(f.Calls, &workerv1.CallCount{
				Function: s.function, Mechanism: s.mechanism, Rv: uint32(s.rv), Count: n, Nanos: nanos,
			})
		}
	}
	return f
}

// since returns by how much a counter has grown since it was taken.
func since(counter *atomic.Uint64, taken *uint64) uint64 {
	now := counter.Load()
	grown := now - *taken
	*taken = now
	return grown
}

// sessionKeys are the keys that live as long as a session.
type sessionKeys struct {
	mu    sync.Mutex
	owner map[pkcs11.ObjectHandle]pkcs11.SessionHandle
}

// made notes new objects of a session.
func (k *sessionKeys) made(session pkcs11.SessionHandle, handles ...pkcs11.ObjectHandle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owner == nil {
		k.owner = map[pkcs11.ObjectHandle]pkcs11.SessionHandle{}
	}
	for _, h := range handles {
		k.owner[h] = session
	}
}

// destroyed notes that an object is gone, which may be one of the token.
func (k *sessionKeys) destroyed(h pkcs11.ObjectHandle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.owner, h)
}

// closed notes that all objects of a session are gone.
func (k *sessionKeys) closed(session pkcs11.SessionHandle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.owner, func(_ pkcs11.ObjectHandle, owner pkcs11.SessionHandle) bool { return owner == session })
}

func (k *sessionKeys) count() uint32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return uint32(len(k.owner))
}
