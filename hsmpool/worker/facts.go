//go:build cgo

package worker

import (
	"crypto/ecdh"
	"crypto/rsa"
	"encoding/binary"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// family is what a mechanism and a key have to have in common. Libraries do not all check
// it: SoftHSM fails as if its files were damaged when it is asked to sign by RSA with a key
// on a curve.
type family string

const (
	secretKeys  family = "secret"
	rsaKeys     family = "RSA"
	ecKeys      family = "EC"
	edwardsKeys family = "Edwards"
)

// facts are what a key's object tells of it.
type facts struct {
	family family
	// rsa is the public key, of RSA keys.
	rsa *rsa.PublicKey
	// curve is that of keys on a NIST curve.
	curve ecdh.Curve
}

// factsOf reads them, once in a worker's life for each key.
func (e *executor) factsOf(obj *object) (*facts, result) {
	if f := obj.facts.Load(); f != nil {
		return f, result{}
	}
	f, err := e.readFacts(obj.handle)
	if err != nil {
		return nil, result{function: "C_GetAttributeValue", rv: rvOf(err)}
	}
	obj.facts.Store(f)
	return f, result{}
}

func (e *executor) readFacts(h pkcs11.ObjectHandle) (*facts, error) {
	kinds, err := e.token.attributes(e.session, h, pkcs11.CKA_CLASS, pkcs11.CKA_KEY_TYPE)
	if err != nil {
		return nil, err
	}
	f := &facts{family: familyOf(number(kinds[0]), number(kinds[1]))}
	switch f.family {
	case rsaKeys:
		values, err := e.token.attributes(e.session, h, pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT)
		if err != nil {
			return nil, err
		}
		f.rsa, err = rsaPublic(values[0], values[1])
		return f, err
	case ecKeys:
		values, err := e.token.attributes(e.session, h, pkcs11.CKA_EC_PARAMS)
		if err != nil {
			return nil, err
		}
		f.curve = curveOf(values[0])
	}
	return f, nil
}

func familyOf(class, keyType uint64) family {
	switch {
	case class == pkcs11.CKO_SECRET_KEY:
		return secretKeys
	case keyType == pkcs11.CKK_RSA:
		return rsaKeys
	case keyType == pkcs11.CKK_EC:
		return ecKeys
	case keyType == ckkECEdwards:
		return edwardsKeys
	}
	return "another"
}

// number is a CK_ULONG.
func number(b []byte) uint64 {
	var padded [8]byte
	copy(padded[:], b)
	return binary.NativeEndian.Uint64(padded[:])
}

// ready returns what a key's object tells, if it is of a family.
func (e *executor) ready(obj *object, want family) (*facts, result) {
	f, res := e.factsOf(obj)
	if res.rv != ckr.OK {
		return nil, res
	}
	if f.family != want {
		return nil, result{wrong: internal(fmt.Errorf("the key is of the family %s, not %s", f.family, want))}
	}
	return f, result{}
}
