//go:build cgo

package worker

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// objectID is CKA_ID of the objects that the worker uses; it passes over others.
type objectID [16]byte

func (id objectID) String() string { return hex.EncodeToString(id[:]) }

func parseID(b []byte) (objectID, error) {
	if len(b) != len(objectID{}) {
		return objectID{}, internal(fmt.Errorf("object id of %d bytes: want %d", len(b), len(objectID{})))
	}
	return objectID(b), nil
}

// findBatch is the number of handles asked for in one C_FindObjects.
const findBatch = 512

// objects knows the handle of every secret and private key in the token. Handles are good for the
// life of the worker, and only for that.
type objects struct {
	ctx     *cryptoki
	storing *storing
	log     hclog.Logger
	// refresh, if not nil, has the library look at its token again.
	refresh func() error

	// changes is held by searches for single objects and, for writing, when one is forgotten.
	changes sync.RWMutex

	mu   sync.RWMutex
	byID map[objectID]*object
	// destroying is the object that is just being destroyed; nil if none is.
	destroying *objectID
	// destroys counts beginnings and ends of destructions.
	destroys uint64
}

// list finds every key of the token, once. Keys that have no id that can be read, or that
// somebody destroys meanwhile, are not ours.
func (o *objects) list(session pkcs11.SessionHandle) error {
	handles, err := o.findKeys(session)
	if err != nil {
		return err
	}
	o.byID = make(map[objectID]*object, len(handles))
	for _, h := range handles {
		attrs, err := o.ctx.GetAttributeValue(session, h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, nil)})
		if odd(err) {
			o.log.Warn("passing over a key whose CKA_ID cannot be read", "handle", uint64(h), "error", err)
			continue
		}
		if err != nil {
			return &opError{function: "C_GetAttributeValue", err: err}
		}
		id, err := parseID(attrs[0].Value)
		if err != nil {
			continue // not made here
		}
		_, dup := o.byID[id]
		o.byID[id] = &object{handle: h, several: dup}
		if dup {
			o.tell(id)
		}
	}
	return nil
}

// tell tells operators of an id that cannot be used.
func (o *objects) tell(id objectID) {
	o.log.Error("several objects of the token have the same id, so none is used; destroy the ones that do not belong there", "id", id.String())
}

// odd tells whether an attribute could not be read because of its object, not because
// of the token.
func odd(err error) bool {
	switch rvOf(err) {
	case ckr.AttributeSensitive, ckr.AttributeTypeInvalid, ckr.ObjectHandleInvalid:
		return true
	}
	return false
}

// opError is a C_ function's failure, before it is judged.
type opError struct {
	function string
	// mechanism is the PKCS#11 name of what was done; empty if it has none.
	mechanism string
	err       error
}

func (e *opError) result() result {
	return result{function: e.function, mechanism: e.mechanism, rv: rvOf(e.err)}
}

func (e *opError) Error() string { return e.function + ": " + e.err.Error() }
func (e *opError) Unwrap() error { return e.err }

// get returns the object of an id. One that is not known is looked for once.
func (o *objects) get(session pkcs11.SessionHandle, id objectID) (*object, error) {
	if obj := o.kept(id); obj != nil {
		return obj, nil
	}
	return o.refind(session, id)
}

// kept returns the object of an id whose handle is known; nil if it is not, or if there
// were several, of which an operator may have destroyed all but one.
func (o *objects) kept(id objectID) *object {
	if obj := o.known(id); obj != nil && obj.handle != noHandle && !obj.several {
		return obj
	}
	return nil
}

// known returns what is kept of an id, whose handle may be unknown; nil if nothing is.
func (o *objects) known(id objectID) *object {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.byID[id]
}

// refind looks for the object of an id in the token.
func (o *objects) refind(session pkcs11.SessionHandle, id objectID) (*object, error) {
	o.changes.RLock()
	defer o.changes.RUnlock()
	handles, err := o.insist(func() ([]pkcs11.ObjectHandle, error) {
		return o.findKeys(session, pkcs11.NewAttribute(pkcs11.CKA_ID, id[:]))
	})
	if err != nil {
		return nil, err
	}
	if len(handles) == 0 {
		return nil, o.missing(session, id)
	}
	if err := o.verify(session, handles[0], id); err != nil {
		return nil, err
	}
	found := &object{handle: handles[0], several: len(handles) > 1}
	obj := o.adopt(id, found)
	if obj == nil {
		return nil, o.missing(session, id)
	}
	if obj == found && obj.several {
		o.tell(id)
	}
	return obj, obj.usable(id)
}

// verify refuses a handle that does not name an object of the id: a library that has lost
// its state may answer a search with handles of its past.
func (o *objects) verify(session pkcs11.SessionHandle, h pkcs11.ObjectHandle, id objectID) error {
	attrs, err := o.ctx.GetAttributeValue(session, h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, nil)})
	if err != nil {
		return &opError{function: "C_GetAttributeValue", err: err}
	}
	if !bytes.Equal(attrs[0].Value, id[:]) && defence.On(defence.Verification) {
		return errOther()
	}
	return nil
}

func errOther() error {
	return lost(errors.New("the library found another key than the one of this id"))
}

// insist searches once more when it found nothing, after the library has looked at its
// token again.
func (o *objects) insist(search func() ([]pkcs11.ObjectHandle, error)) ([]pkcs11.ObjectHandle, error) {
	found, err := search()
	if err != nil || len(found) > 0 || o.refresh == nil {
		return found, err
	}
	switch err := o.refresh(); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, lost(fmt.Errorf("the token is not there: %w", err))
	case err != nil:
		o.log.Warn("the token is not looked at again before a key counts as missing", "error", err)
		return found, nil
	}
	return search()
}

// loggedIn refuses a session of a library that has forgotten the login: it finds no private
// object, whatever there is.
func (o *objects) loggedIn(session pkcs11.SessionHandle) error {
	info, err := o.ctx.GetSessionInfo(session)
	if err != nil {
		return &opError{function: "C_GetSessionInfo", err: err}
	}
	if info.State != pkcs11.CKS_RW_USER_FUNCTIONS {
		return lost(errors.New("the library has forgotten the login"))
	}
	return nil
}

// missing is the failure of a search that found nothing. A key that this worker knows
// and did not destroy may be the library's loss: the next worker can tell.
func (o *objects) missing(session pkcs11.SessionHandle, id objectID) error {
	if o.known(id) != nil {
		return lost(errors.New("the library no longer finds a key that was there"))
	}
	if err := o.loggedIn(session); err != nil {
		return err
	}
	return &fault{
		result: result{function: "C_FindObjects"},
		class:  workerv1.FailureClass_FAILURE_CLASS_OBJECT_MISSING, err: errors.New("the token has no key of this id"),
	}
}

// lost is the failure of a search by a library that has lost its state.
func lost(err error) error {
	f := unavailable(err, "")
	f.function, f.restart = "C_FindObjects", true
	return f
}

// usable refuses an id that names more than one object.
func (o *object) usable(id objectID) error {
	if o.several && defence.On(defence.UniqueIDs) {
		return &fault{class: workerv1.FailureClass_FAILURE_CLASS_OPERATOR, err: fmt.Errorf("several objects have the id %s", id),
			hint: "destroy the ones that do not belong there"}
	}
	return nil
}

func (o *objects) put(id objectID, obj *object) {
	o.mu.Lock()
	o.byID[id] = obj
	stale := o.disown(id, obj)
	o.mu.Unlock()
	stale.retire()
}

func (o *objects) destructions() uint64 {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.destroys
}

// count returns how many keys are known.
func (o *objects) count() uint32 {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return uint32(len(o.byID))
}

// findKeys returns every secret and every private key that is stored in the token and
// matches: a session copy of one outlives it.
func (o *objects) findKeys(session pkcs11.SessionHandle, more ...*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	var all []pkcs11.ObjectHandle
	for _, class := range []uint{pkcs11.CKO_SECRET_KEY, pkcs11.CKO_PRIVATE_KEY} {
		template := append([]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		}, more...)
		handles, err := o.find(session, template)
		if err != nil {
			return nil, err
		}
		all = append(all, handles...)
	}
	return all, nil
}

// find returns every object that matches.
func (o *objects) find(session pkcs11.SessionHandle, template []*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	if err := o.storing.look(func() error { return o.ctx.FindObjectsInit(session, template) }); err != nil {
		return nil, &opError{function: "C_FindObjectsInit", err: err}
	}
	var all []pkcs11.ObjectHandle
	for {
		some, _, err := o.ctx.FindObjects(session, findBatch)
		if err != nil {
			return nil, errors.Join(&opError{function: "C_FindObjects", err: err}, o.ctx.FindObjectsFinal(session))
		}
		if len(some) == 0 {
			break
		}
		all = append(all, some...)
	}
	if err := o.ctx.FindObjectsFinal(session); err != nil {
		return nil, &opError{function: "C_FindObjectsFinal", err: err}
	}
	return all, nil
}
