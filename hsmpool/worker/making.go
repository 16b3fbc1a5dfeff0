//go:build cgo

package worker

import (
	"github.com/miekg/pkcs11"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// made is a new key: the handles of the secret or private one and, of a pair, of the
// public one.
type made struct {
	key, public pkcs11.ObjectHandle
}

// generate makes a key by a template, announced as call says. Its failure is an *opError.
func (t *token) generate(session pkcs11.SessionHandle, s spec, template []*pkcs11.Attribute, call *workerv1.Call) (made, error) {
	by := []*pkcs11.Mechanism{pkcs11.NewMechanism(s.by.kind, nil)}
	var k made
	call.Function, call.Session = "C_GenerateKey", uint64(session)
	if s.pair() {
		call.Function = "C_GenerateKeyPair"
	}
	err := t.calls.call(call, func() (err error) {
		return t.store(call, func() error {
			if s.pair() {
				k.public, k.key, err = t.ctx.GenerateKeyPair(session, by, s.publicTemplate(), template)
			} else {
				k.key, err = t.ctx.GenerateKey(session, by, template)
			}
			call.KeyHandle, call.PublicHandle = uint64(k.key), uint64(k.public)
			return err
		})
	})
	if err != nil {
		return made{}, &opError{call.GetFunction(), err}
	}
	return k, nil
}

// destroy destroys an object, announced as call says. Its failure is an *opError.
func (t *token) destroy(session pkcs11.SessionHandle, h pkcs11.ObjectHandle, call *workerv1.Call) error {
	call.Function, call.Session, call.KeyHandle = "C_DestroyObject", uint64(session), uint64(h)
	err := t.calls.call(call, func() error {
		return t.store(call, func() error { return t.ctx.DestroyObject(session, h) })
	})
	if err != nil {
		return &opError{call.GetFunction(), err}
	}
	return nil
}

// store makes a call that makes or destroys an object, of the token or of the session.
func (t *token) store(call *workerv1.Call, do func() error) error {
	if call.GetTokenObject() {
		return t.storing.change(do)
	}
	return do()
}
