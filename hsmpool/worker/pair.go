//go:build cgo

package worker

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// maker makes key pairs that are handed out, and tries what the token can do, with keys of
// its session. It stands beside the executors, since an RSA key takes seconds to find. One
// goroutine uses it.
type maker struct {
	*executor
	lane *lane
}

// handle carries out one request. The reply's bytes are good until the next one.
func (k *maker) handle(m *workerv1.ToWorker) *workerv1.Reply {
	switch r := m.GetRequest().(type) {
	case *workerv1.ToWorker_GeneratePair:
		return k.generatePair(kind.KeyType(r.GeneratePair.GetKeyType()), m.GetRequestId())
	case *workerv1.ToWorker_SelfTest:
		return k.selfTest(r.SelfTest, m.GetRequestId())
	}
	return failed(errors.New("unknown request"))
}

// generatePair makes a key pair and takes it out of the token.
func (k *maker) generatePair(t kind.KeyType, requestID string) *workerv1.Reply {
	s, err := specOf(t)
	if err == nil && !s.pair() {
		err = fmt.Errorf("%s is no pair", t)
	}
	if err != nil {
		return failed(internal(err))
	}
	reply := &workerv1.Reply{Function: "C_WrapKey"}
	err = twice(k.token.profile.name, "making a key pair to be handed out", k.renew, func() (err error) {
		k.lane.begin()
		b := &bag{executor: k.executor, requestID: requestID}
		reply.PublicKey, reply.Plaintext, err = k.pairOnce(s, b)
		return b.empty(err)
	})
	if err != nil {
		return failed(err)
	}
	return reply
}

// pairOnce makes the pair, and what it is wrapped by, in b. The private key is left in the
// executor's memory.
func (k *maker) pairOnce(s spec, b *bag) (spki, private []byte, err error) {
	pair, err := b.generate(s, extractable())
	if err != nil {
		return nil, nil, err
	}
	if spki, err = k.token.readPublic(k.session, s, pair.public); err != nil {
		return nil, nil, err
	}
	private, err = k.takeOut(pair.key, b)
	return spki, private, err
}

// takeOut returns a private key of the session as PKCS #8, DER: it is wrapped under an AES
// key made for it, which is read, and unwrapped here.
func (k *maker) takeOut(key pkcs11.ObjectHandle, b *bag) ([]byte, error) {
	aes, err := specOf(kind.AES256)
	if err != nil {
		return nil, err
	}
	by, err := b.generate(aes, wrapping(aes))
	if err != nil {
		return nil, err
	}
	wrapped, err := k.wrap(by.key, key, b.requestID)
	if err != nil {
		return nil, err
	}
	k.plain = sized(k.plain, int(aes.length))
	if res := k.token.hot.value(uint(k.session), uint(by.key), k.plain); res.rv != ckr.OK || res.wrong != nil {
		return nil, res.err()
	}
	private, err := unwrapPadded(k.plain, wrapped)
	if err != nil {
		return nil, internal(err)
	}
	defer clear(private)
	info, err := privateInfo(private)
	if err != nil {
		return nil, internal(err)
	}
	k.out = sized(k.out, len(info))
	copy(k.out, info)
	return k.out, nil
}

// privateInfo returns the DER sequence that a token wrapped, as a part of b. SoftHSM fills
// a key up with zeros to a multiple of 8 bytes before it wraps it with padding, and so
// counts them as a part of the key.
func privateInfo(b []byte) ([]byte, error) {
	var v asn1.RawValue
	rest, err := asn1.Unmarshal(b, &v)
	sequence := err == nil && v.Class == asn1.ClassUniversal && v.Tag == asn1.TagSequence && v.IsCompound
	if !sequence || len(rest) >= semiblock || !bytes.Equal(rest, make([]byte, len(rest))) {
		return nil, errors.New("what the token wrapped is no PKCS #8")
	}
	return v.FullBytes, nil
}

// wrap wraps a private key as PKCS #8 under an AES key, both of the session.
func (k *maker) wrap(by, key pkcs11.ObjectHandle, requestID string) (wrapped []byte, err error) {
	call := &workerv1.Call{Function: "C_WrapKey", Session: uint64(k.session), KeyHandle: uint64(key), RequestId: requestID}
	err = k.token.calls.call(call, func() (err error) {
		wrapped, err = k.token.ctx.WrapKey(k.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(k.token.profile.keyWrap.kind, nil)}, by, key)
		return err
	})
	if err != nil {
		return nil, &opError{call.GetFunction(), k.token.profile.keyWrap.name, err}
	}
	return wrapped, nil
}

// err returns the failure that a result is; nil if it is none.
func (r result) err() error {
	if r.rv != ckr.OK {
		return &opError{r.function, r.mechanism, pkcs11.Error(r.rv)}
	}
	if f := wrongResult(r); f != nil {
		return f
	}
	return nil
}

// extractable is the template of a private key that is to be taken out of the token.
func extractable() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true),
	}
}

// wrapping is the template of the AES key that a pair is wrapped by.
func wrapping(aes spec) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, aes.class()),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, aes.keyType),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, aes.length),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, false),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true),
		pkcs11.NewAttribute(pkcs11.CKA_WRAP, true),
	}
}

// bag is what was made of objects of the session, all of which are to go.
type bag struct {
	*executor
	requestID string
	handles   []pkcs11.ObjectHandle
}

// generate makes a key, or a pair, that is destroyed by empty.
func (b *bag) generate(s spec, template []*pkcs11.Attribute) (made, error) {
	k, err := b.token.generate(b.session, s, template, &workerv1.Call{RequestId: b.requestID})
	if err != nil {
		return made{}, err
	}
	b.handles = append(b.handles, k.key)
	if s.pair() {
		b.handles = append(b.handles, k.public)
	}
	return k, nil
}

// empty destroys what is in the bag, and returns cause. What cannot be destroyed goes with
// the session; then the whole has failed.
func (b *bag) empty(cause error) error {
	defer func() { b.handles = nil }()
	for _, h := range b.handles {
		err := b.token.destroy(b.session, h, &workerv1.Call{RequestId: b.requestID})
		if err == nil {
			continue
		}
		if renewed := b.renew(); renewed != nil {
			return renewed
		}
		if cause == nil {
			cause = err
		}
		return cause
	}
	return cause
}
