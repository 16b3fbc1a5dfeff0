//go:build cgo

package worker

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// manager makes and destroys keys, one at a time, on a session of its own: libraries
// that share keys between threads soundly may not make them so.
type manager struct {
	*executor
	// sync makes what the library wrote last through a power cut. It returns the files
	// of new objects.
	sync func() (made []string, err error)
}

// handle carries out one request.
func (m *manager) handle(r *workerv1.ToWorker) *workerv1.Reply {
	reply, err := &workerv1.Reply{}, m.awake()
	if err == nil {
		reply, err = m.perform(r)
	}
	if err != nil {
		reply = failed(err)
	}
	reply.Keys = m.objects.count() // also after a failure that followed the effect
	return reply
}

// awake gives the manager a new session if its own was lost while nobody made a key.
// What makes keys is not tried twice, so this is found out before.
func (m *manager) awake() error {
	if !defence.On(defence.FreshSession) {
		return nil
	}
	_, err := m.token.ctx.GetSessionInfo(m.session)
	if err == nil {
		return nil
	}
	var f *fault
	if lost := m.judge(&opError{function: "C_GetSessionInfo", err: err}, "looking after the session"); errors.As(lost, &f) && f.restart {
		return f
	}
	return nil
}

// perform carries out one request on a session that was there a moment ago.
func (m *manager) perform(r *workerv1.ToWorker) (reply *workerv1.Reply, err error) {
	reply = &workerv1.Reply{}
	switch q := r.GetRequest().(type) {
	case *workerv1.ToWorker_Generate:
		reply.PublicKey, reply.Function, err = m.generate(q.Generate, r.GetRequestId())
	case *workerv1.ToWorker_Import:
		var imported *workerv1.Reply
		if imported, err = m.importKey(q.Import, r.GetRequestId()); err == nil {
			reply = imported
		}
	case *workerv1.ToWorker_Destroy:
		reply.Function = "C_DestroyObject"
		err = m.destroy(q.Destroy, r.GetRequestId())
	case *workerv1.ToWorker_Stop:
		reply.Function = "C_Finalize"
		err = errors.Join(m.token.logout(m.session), m.token.finalize())
	default:
		err = errors.New("unknown request")
	}
	return reply, err
}

// generate makes a key, reads its attributes and its file back, and returns its public key
// if it has one, and the C_ function that made it. A key that is not what was asked for, or
// that would not be there after a restart, is destroyed.
func (m *manager) generate(r *workerv1.GenerateRequest, requestID string) (spki []byte, function string, err error) {
	d, err := m.design(r)
	if err != nil {
		return nil, "", err
	}
	if m.objects.known(d.id) != nil {
		return nil, "", internal(errors.New("the token has a key of this id already"))
	}
	call := &workerv1.Call{TokenObject: true, KeyLabel: d.label, KeyId: d.id.String(), RequestId: requestID}
	made, err := m.token.generate(m.session, d.spec, d.template(), call)
	if err == nil {
		m.objects.claim(d.id, made.key)
		spki, err = m.finish(d, made, requestID)
	}
	if err != nil {
		return nil, "", m.undo(d.id, requestID, m.judge(err, "generating the key"))
	}
	m.objects.put(d.id, &object{handle: made.key})
	return spki, call.GetFunction(), nil
}

// design says what the key that a request asks for is to be.
func (m *manager) design(r *workerv1.GenerateRequest) (design, error) {
	d := design{label: r.GetLabel(), use: kind.Use(r.GetUse()), profile: m.token.profile}
	var err error
	if d.id, err = parseID(r.GetObjectId()); err != nil {
		return design{}, err
	}
	if d.spec, err = specOf(kind.KeyType(r.GetKeyType())); err != nil {
		return design{}, internal(err)
	}
	return d, nil
}

// finish checks a new key, and keeps its public key out of the token.
func (m *manager) finish(d design, k made, requestID string) (spki []byte, err error) {
	if err := m.check(d, k.key); err != nil {
		return nil, err
	}
	if d.pair() {
		if spki, err = m.token.readPublic(m.session, d.spec, k.public); err != nil {
			return nil, err
		}
		call := &workerv1.Call{KeyLabel: d.label, KeyId: d.id.String(), RequestId: requestID}
		if err := m.token.destroy(m.session, k.public, call); err != nil {
			return nil, err
		}
	}
	if err := m.keep(); err != nil {
		return nil, unavailable(err, "check its disk")
	}
	return spki, nil
}

// check reads the new key's attributes back.
func (m *manager) check(d design, handle pkcs11.ObjectHandle) error {
	have, err := m.token.ctx.GetAttributeValue(m.session, handle, d.asked())
	if err != nil {
		return &opError{function: "C_GetAttributeValue", err: err}
	}
	if wrong := d.differences(have); wrong != "" {
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
	if !defence.On(defence.OrphanHunt) {
		return cause
	}
	if err := m.destroyAll(id, requestID); err != nil && !isMissing(err) {
		return incomplete(errors.Join(cause, err))
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

// destroyKey destroys every object of an id. A key that this worker knew and that the
// library does not find is not destroyed.
func (m *manager) destroyKey(id objectID, requestID string) error {
	obj := m.objects.known(id)
	m.objects.beginDestroy(id)
	err := m.destroyAll(id, requestID)
	if err == nil || isMissing(err) && obj == nil {
		m.objects.endDestroy(id, false)
		return err
	}
	m.objects.endDestroy(id, obj != nil)
	if isMissing(err) {
		return lost(errors.New("the library no longer finds a key that was there"))
	}
	return err
}

// destroyAll destroys the objects of an id. The CKA_ID of each is read first, so that a
// handle of the library's past destroys nothing else.
func (m *manager) destroyAll(id objectID, requestID string) error {
	handles, err := m.objects.insist(func() ([]pkcs11.ObjectHandle, error) {
		return m.objects.find(m.session, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_ID, id[:]),
		})
	})
	if err != nil {
		return m.judge(err, "looking for the key")
	}
	if len(handles) == 0 {
		return m.judge(m.objects.missing(m.session, id), "looking for the key")
	}
	for _, h := range handles {
		label, err := m.label(h, id)
		if err != nil {
			return m.judge(err, "looking for the key")
		}
		call := &workerv1.Call{TokenObject: true, KeyLabel: label, KeyId: id.String(), RequestId: requestID}
		if err := m.token.destroy(m.session, h, call); err != nil {
			return m.judge(err, "destroying the key")
		}
	}
	return nil
}

// label returns the label of an object that was found by an id.
func (m *manager) label(h pkcs11.ObjectHandle, id objectID) (string, error) {
	values, err := m.token.attributes(m.session, h, pkcs11.CKA_ID, pkcs11.CKA_LABEL)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(values[0], id[:]) && defence.On(defence.Verification) {
		return "", errOther()
	}
	return text(string(values[1])), nil
}

// judge judges a C_ function's failure by the table of fates, and replaces the session
// unless the table keeps it. Nothing is tried again: the call may have had its effect.
func (m *manager) judge(err error, doing string) error {
	var op *opError
	if !errors.As(err, &op) {
		return err
	}
	f, fate := faultOf(m.token.profile.name, op.result(), doing)
	if fate != ckr.Keep {
		f.restart = f.restart || m.renew() != nil
	}
	return f
}
