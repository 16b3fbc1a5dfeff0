//go:build cgo

package worker

import (
	"crypto/ecdh"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// agree derives a shared secret by ECDH.
func (e *executor) agree(r *workerv1.AgreeRequest, requestID string) *workerv1.Reply {
	id, err := parseID(r.GetObjectId())
	if err != nil {
		return failed(err)
	}
	reply := &workerv1.Reply{}
	err = e.withKey(task{id: id, doing: "deriving the shared secret", do: func(obj *object) result {
		have, res := e.ready(obj, ecKeys)
		if have == nil {
			return res
		}
		return e.agreeOnce(derivation{obj: obj, id: id, curve: have.curve, requestID: requestID}, r.GetPeer())
	}}, reply)
	if err != nil {
		return failed(err)
	}
	reply.Plaintext = e.out
	return reply
}

// derivation is one use of C_DeriveKey.
type derivation struct {
	obj       *object
	id        objectID
	curve     ecdh.Curve
	requestID string
}

// agreeOnce leaves the secret in e.out. The peer's point is checked first: libraries answer
// to one that is off the curve as to a broken device, or not at all.
func (e *executor) agreeOnce(d derivation, peer []byte) result {
	if d.curve == nil {
		return result{wrong: internal(errors.New("the key is on no NIST curve"))}
	}
	point, err := peerPoint(peer, d.curve)
	if err != nil {
		return result{wrong: callers(fmt.Errorf("the other side's public key: %w", err))}
	}
	secret, res := e.derive(d, point)
	if res.rv != ckr.OK {
		return res
	}
	e.out = sized(e.out, (len(point)-1)/2)
	res = e.token.hot.value(uint(e.session), uint(secret), e.out)
	if end := e.discard(secret, d); res.rv == ckr.OK && res.wrong == nil {
		return end
	}
	return res
}

// derive makes the shared secret an object of the session.
func (e *executor) derive(d derivation, point []byte) (pkcs11.ObjectHandle, result) {
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, (len(point)-1)/2),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, false),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true),
	}
	call := &workerv1.Call{Function: "C_DeriveKey", Session: uint64(e.session), KeyId: d.id.String(), RequestId: d.requestID}
	var secret pkcs11.ObjectHandle
	err := e.token.calls.call(call, func() error {
		var err error
		secret, err = e.token.ctx.DeriveECDH(e.session, d.obj.handle, point, template)
		call.KeyHandle = uint64(secret)
		return err
	})
	return secret, result{function: "C_DeriveKey", mechanism: "CKM_ECDH1_DERIVE", rv: rvOf(err)}
}

// discard destroys an object of the session; if that fails, by closing the session.
func (e *executor) discard(h pkcs11.ObjectHandle, d derivation) result {
	call := &workerv1.Call{KeyId: d.id.String(), RequestId: d.requestID}
	if err := e.token.destroy(e.session, h, call); err != nil {
		if again := e.renew(); again != nil {
			return result{function: "C_OpenSession", wrong: again}
		}
	}
	return result{function: "C_DeriveKey"}
}
