//go:build cgo

package worker

import (
	"sync"
	"sync/atomic"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// noHandle is CK_INVALID_HANDLE.
const noHandle pkcs11.ObjectHandle = 0

// object is what the worker keeps of a key.
//
// A library may give the handle of an object that was destroyed to the next one. So a
// handle is with the library only between enter and leave, and nothing that may free it
// is begun before all of these have ended: whoever entered uses the key that he looked up.
type object struct {
	handle pkcs11.ObjectHandle
	// several: more than one object has the id, so none is used.
	several bool

	facts atomic.Pointer[facts] // nil until they are asked for

	mu sync.Mutex // guards canary
	// canary is a ciphertext that the key is known to open, made when first needed.
	canary *canary

	using sync.RWMutex
	gone  bool // guarded by using
}

// canary is a ciphertext made in this worker, with its IV.
type canary struct {
	iv     [ivSize]byte
	sealed []byte
}

// enter begins a use of the handle, unless it must not be used any more.
func (o *object) enter() bool {
	o.using.RLock()
	if o.gone {
		o.using.RUnlock()
		return false
	}
	return true
}

func (o *object) leave() { o.using.RUnlock() }

// retire waits until nobody uses the handle, and keeps everybody from it.
func (o *object) retire() {
	o.using.Lock()
	defer o.using.Unlock()
	o.gone = true
}

// adopt keeps an object that was found, and returns the one to be used for the id; nil if
// it is just being destroyed. The caller holds changes.
func (o *objects) adopt(id objectID, found *object) *object {
	o.mu.Lock()
	old := o.byID[id]
	switch {
	case o.destroying != nil && *o.destroying == id:
		found = nil
	case old != nil && old.handle == found.handle && old.several == found.several:
		found = old
	default:
		o.byID[id] = found
	}
	stale := o.disown(id, found)
	o.mu.Unlock()
	if old != nil && found != old {
		old.retire()
	}
	stale.retire()
	return found
}

// disown drops the handle of an object from every other id: the object that had it was
// destroyed by somebody else. Its caller holds mu, and retires what is dropped.
func (o *objects) disown(id objectID, owner *object) (stale dropped) {
	if owner == nil || !defence.On(defence.Forgetting) {
		return nil
	}
	for other, obj := range o.byID {
		if other != id && obj.handle == owner.handle {
			delete(o.byID, other)
			stale = append(stale, obj)
		}
	}
	return stale
}

// claim notes that a handle was just found to be that of an id, before it is known whether
// the object is kept: no other id has it any more.
func (o *objects) claim(id objectID, h pkcs11.ObjectHandle) {
	o.mu.Lock()
	stale := o.disown(id, &object{handle: h})
	o.mu.Unlock()
	stale.retire()
}

// dropped are objects that are in no table any more.
type dropped []*object

func (d dropped) retire() {
	for _, obj := range d {
		obj.retire()
	}
}

// beginDestroy forgets an object before it is destroyed, so that whoever finds its
// handle dead knows why, and waits until nobody uses it.
func (o *objects) beginDestroy(id objectID) { o.drop(id, func() { o.destroying = &id }) }

// endDestroy ends what beginDestroy has begun. If the object may be left it stays known,
// but its handle does not: it may be another object's now.
func (o *objects) endDestroy(id objectID, left bool) {
	o.drop(id, func() {
		o.destroying = nil
		if left {
			o.byID[id] = &object{handle: noHandle}
		}
	})
}

// forgetKey carries out a request to forget a key.
func (o *objects) forgetKey(r *workerv1.ForgetRequest) *workerv1.Reply {
	id, err := parseID(r.GetObjectId())
	if err != nil {
		return failed(err)
	}
	o.forget(id)
	return &workerv1.Reply{Keys: o.count()}
}

// forget drops the handle of an object that somebody else destroys.
func (o *objects) forget(id objectID) { o.drop(id, func() {}) }

// drop takes an object out of the table, notes more, and then waits until nobody uses the
// object. Searches that are under way come first, so that none of them puts it back.
func (o *objects) drop(id objectID, note func()) {
	o.changes.Lock()
	o.mu.Lock()
	dropped := o.byID[id]
	delete(o.byID, id)
	o.destroys++
	note()
	o.mu.Unlock()
	o.changes.Unlock()
	if dropped != nil {
		dropped.retire()
	}
}
