//go:build cgo

package worker

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// manager makes and destroys keys, one at a time, on a session of its own: libraries
// that share keys between threads soundly may not make them so.
type manager struct {
	token   *token
	objects *objects
	session pkcs11.SessionHandle
	// sync makes what the library wrote last through a power cut. It returns the files
	// of new objects.
	sync func() (made []string, err error)
}

// handle carries out one request.
func (m *manager) handle(r *workerv1.ToWorker) *workerv1.Reply {
	var err error
	reply := &workerv1.Reply{}
	switch q := r.GetRequest().(type) {
	case *workerv1.ToWorker_GenerateAes:
		reply.Function = "C_GenerateKey"
		err = m.generate(q.GenerateAes, r.GetRequestId())
	case *workerv1.ToWorker_Destroy:
		reply.Function = "C_DestroyObject"
		err = m.destroy(q.Destroy, r.GetRequestId())
	case *workerv1.ToWorker_Stop:
		reply.Function = "C_Finalize"
		err = errors.Join(m.token.logout(m.session), m.token.finalize())
	default:
		err = errors.New("unknown request")
	}
	if err != nil {
		reply = failed(err)
	}
	reply.Keys = m.objects.count() // also after a failure that followed the effect
	return reply
}

// generate makes a key and reads its attributes and its file back. A key that is not
// what was asked for, or that would not be there after a restart, is destroyed.
func (m *manager) generate(r *workerv1.GenerateAesRequest, requestID string) error {
	id, err := parseID(r.GetObjectId())
	if err != nil {
		return err
	}
	if m.objects.known(id) != nil {
		return internal(errors.New("the token has a key of this id already"))
	}
	handle, err := m.generateKey(id, r.GetLabel(), requestID)
	if err != nil {
		return m.undo(id, requestID, err)
	}
	if err := m.check(id, r.GetLabel(), handle); err != nil {
		return m.undo(id, requestID, err)
	}
	if err := m.keep(); err != nil {
		return m.undo(id, requestID, unavailable(err, "check its disk"))
	}
	m.objects.put(id, &object{handle: handle})
	return nil
}

func (m *manager) generateKey(id objectID, label, requestID string) (pkcs11.ObjectHandle, error) {
	call := &workerv1.Call{
		Function: "C_GenerateKey", Session: uint64(m.session), TokenObject: true,
		KeyLabel: label, KeyId: id.String(), RequestId: requestID,
	}
	var handle pkcs11.ObjectHandle
	err := m.token.calls.call(call, func() error {
		var err error
		mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}
		handle, err = m.token.ctx.GenerateKey(m.session, mechanism, template(id, label))
		call.KeyHandle = uint64(handle)
		return err
	})
	if err != nil {
		return 0, m.judge(&opError{"C_GenerateKey", err}, "generating the key")
	}
	return handle, nil
}

// check reads the new key's attributes back.
func (m *manager) check(id objectID, label string, handle pkcs11.ObjectHandle) error {
	have, err := m.token.ctx.GetAttributeValue(m.session, handle, asked())
	if err != nil {
		return m.judge(&opError{"C_GetAttributeValue", err}, "reading the new key's attributes")
	}
	if wrong := differences(have, id, label); wrong != "" {
		return internal(fmt.Errorf("the token made a key with wrong attributes, which is destroyed: %s", wrong))
	}
	return nil
}

// keep makes sure that the next worker will find the new key.
func (m *manager) keep() error {
	made, err := m.sync()
	if err != nil {
		return err
	}
	return checkObjects(made)
}

// undo destroys what a failed generation left in the token: some tokens fail and keep
// the key. If that is not possible the worker is replaced and the server tries again.
// The sync takes note of a file that is left all the same, so that it is not held
// against the next key; SoftHSM leaves files shorter than 8 bytes, which have no key.
func (m *manager) undo(id objectID, requestID string, cause error) error {
	handles, err := m.objects.find(m.session, withID(secretKeys(), id))
	if err != nil {
		return incomplete(errors.Join(cause, m.judge(err, "looking for what is left of it")))
	}
	for _, h := range handles {
		if err := m.destroyObject(id, h, "", requestID); err != nil {
			return incomplete(errors.Join(cause, err))
		}
	}
	if _, err := m.sync(); err != nil {
		m.token.log.Warn("after a failed generation", "key", id.String(), "error", err)
	}
	return cause
}

// incomplete is the failure of a generation that may have left a key.
func incomplete(err error) error {
	f := unavailable(err, "")
	f.restart = true
	return f
}

// destroy destroys a key for good. One that is missing may have been destroyed by a worker
// that was lost before it could sync, so that is made up for.
func (m *manager) destroy(r *workerv1.DestroyRequest, requestID string) error {
	id, err := parseID(r.GetObjectId())
	if err != nil {
		return err
	}
	outcome := m.destroyKey(id, requestID)
	if outcome != nil && !isMissing(outcome) {
		return outcome
	}
	if _, err := m.sync(); err != nil {
		return unavailable(err, "check its disk")
	}
	return outcome
}

func isMissing(err error) bool {
	var f *fault
	return errors.As(err, &f) && f.class == workerv1.FailureClass_FAILURE_CLASS_OBJECT_MISSING
}

func (m *manager) destroyKey(id objectID, requestID string) error {
	obj, label, err := m.locate(id)
	if err != nil {
		return m.judge(err, "looking for the key")
	}
	m.objects.beginDestroy(id)
	if err := m.destroyObject(id, obj.handle, label, requestID); err != nil {
		m.objects.endDestroy(id, obj)
		return err
	}
	m.objects.endDestroy(id, nil)
	return nil
}

// locate returns the object of an id and its label. The handle's own CKA_ID is read
// first, so that a handle that has gone stale destroys nothing else.
func (m *manager) locate(id objectID) (*object, string, error) {
	if obj := m.objects.known(id); obj != nil {
		if label, ok := m.names(obj.handle, id); ok {
			return obj, label, obj.usable(id)
		}
	}
	obj, err := m.objects.refind(m.session, id)
	if err != nil {
		return nil, "", err
	}
	label, _ := m.names(obj.handle, id)
	return obj, label, nil
}

// names tells whether a handle names the object of an id, and the object's label.
func (m *manager) names(handle pkcs11.ObjectHandle, id objectID) (label string, ok bool) {
	attrs, err := m.token.ctx.GetAttributeValue(m.session, handle, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_ID, nil), pkcs11.NewAttribute(pkcs11.CKA_LABEL, nil),
	})
	if err != nil || !bytes.Equal(attrs[0].Value, id[:]) {
		return "", false
	}
	return text(string(attrs[1].Value)), true
}

func (m *manager) destroyObject(id objectID, handle pkcs11.ObjectHandle, label, requestID string) error {
	call := &workerv1.Call{
		Function: "C_DestroyObject", Session: uint64(m.session), TokenObject: true,
		KeyHandle: uint64(handle), KeyLabel: label, KeyId: id.String(), RequestId: requestID,
	}
	if err := m.token.calls.call(call, func() error { return m.token.ctx.DestroyObject(m.session, handle) }); err != nil {
		return m.judge(&opError{"C_DestroyObject", err}, "destroying the key")
	}
	return nil
}

// judge judges a C_ function's failure by the table of fates, and replaces the session
// unless the table keeps it. Nothing is tried again: the call may have had its effect.
func (m *manager) judge(err error, doing string) error {
	var op *opError
	if !errors.As(err, &op) {
		return err
	}
	f, fate := faultOf(m.token.profile.name, result{function: op.function, rv: rvOf(op.err)}, doing)
	if fate != ckr.Keep {
		f.restart = f.restart || m.token.renewSession(&m.session) != nil
	}
	return f
}

func withID(template []*pkcs11.Attribute, id objectID) []*pkcs11.Attribute {
	return append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, id[:]))
}
