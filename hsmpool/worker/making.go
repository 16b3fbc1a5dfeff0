//go:build cgo

package worker

import (
	"encoding/binary"
	"runtime"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
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
		return made{}, &opError{call.GetFunction(), s.by.name, err}
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
		return &opError{function: call.GetFunction(), err: err}
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

// create makes an object of key material, announced as call says. Its failure is an
// *opError.
func (t *token) create(session pkcs11.SessionHandle, template []*pkcs11.Attribute, call *workerv1.Call) (pkcs11.ObjectHandle, error) {
	return t.bring(session, "C_CreateObject", "", call, func() (pkcs11.ObjectHandle, error) {
		key, res := t.hot.create(uint(session), template)
		if res.rv != ckr.OK {
			return 0, pkcs11.Error(res.rv)
		}
		return key, nil
	})
}

// unwrap makes a key of wrapped material, announced as call says. Its failure is an
// *opError.
func (t *token) unwrap(session pkcs11.SessionHandle, by mechanism, key pkcs11.ObjectHandle, wrapped []byte,
	template []*pkcs11.Attribute, call *workerv1.Call,
) (pkcs11.ObjectHandle, error) {
	var pinned runtime.Pinner
	defer pinned.Unpin()
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(by.kind, by.encode(&pinned))}
	return t.bring(session, "C_UnwrapKey", by.name, call, func() (pkcs11.ObjectHandle, error) {
		return t.ctx.UnwrapKey(session, mechanism, key, wrapped, template)
	})
}

// encode returns the parameters as they are in memory; those that they point to stay where
// they are while they are pinned.
func (m mechanism) encode(pinned *runtime.Pinner) []byte {
	var params []byte
	for _, p := range m.params {
		params = binary.NativeEndian.AppendUint64(params, uint64(p))
	}
	if m.nested != nil {
		pinned.Pin(unsafe.SliceData(m.nested))
		params = binary.NativeEndian.AppendUint64(params, uint64(uintptr(unsafe.Pointer(unsafe.SliceData(m.nested)))))
	}
	return params
}

// bring makes a call that makes one key.
func (t *token) bring(session pkcs11.SessionHandle, function, by string, call *workerv1.Call,
	do func() (pkcs11.ObjectHandle, error),
) (key pkcs11.ObjectHandle, err error) {
	call.Function, call.Session, call.Ended, call.Rv = function, uint64(session), false, 0
	err = t.calls.call(call, func() error {
		return t.store(call, func() error {
			key, err = do()
			call.KeyHandle = uint64(key)
			return err
		})
	})
	if err != nil {
		return 0, &opError{function, by, err}
	}
	return key, nil
}

// wrapsTwice is the mechanism by which material that is wrapped under a wrapped AES key is
// unwrapped: in one step or, where the token does not know that, in two of which this is the
// second.
func (t *token) wrapsTwice() mechanism {
	one := mechanism{kind: ckmRSAAESKeyWrap, name: "CKM_RSA_AES_KEY_WRAP"}
	if _, err := t.ctx.GetMechanismInfo(t.slot, []*pkcs11.Mechanism{pkcs11.NewMechanism(one.kind, nil)}); err == nil {
		return one
	}
	return t.profile.keyWrap
}
