//go:build cgo

package worker

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// importKey unwraps key material into the token. First it is unwrapped into an object of the
// session, which can be repeated, and examined; what is wrong with it is found there. Only
// then is it unwrapped into the token, once, and examined again.
func (m *manager) importKey(r *workerv1.ImportRequest, requestID string) (*workerv1.Reply, error) {
	defer m.wipe()
	u, err := m.unwrapping(r, requestID)
	if err != nil {
		return nil, err
	}
	if m.objects.known(u.id) != nil {
		return nil, internal(errors.New("the token has a key of this id already"))
	}
	found, err := m.rehearse(u)
	if err != nil {
		return nil, err
	}
	if want := r.GetExpect(); len(want) > 0 && !bytes.Equal(want, found.fingerprint) {
		return nil, &fault{class: workerv1.FailureClass_FAILURE_CLASS_MISMATCH, err: errors.New("the key material is not what it was said to be")}
	}
	function, err := m.keepUnwrapped(u, found)
	if err != nil {
		return nil, m.undo(u.id, requestID, err)
	}
	return &workerv1.Reply{Function: function, PublicKey: found.spki, Fingerprint: found.fingerprint}, nil
}

// unwrapping says what a request asks for.
func (m *manager) unwrapping(r *workerv1.ImportRequest, requestID string) (*unwrapping, error) {
	d, err := m.design(&workerv1.GenerateRequest{ObjectId: r.GetObjectId(), Label: r.GetLabel(), KeyType: r.GetKeyType(), Use: r.GetUse()})
	if err != nil {
		return nil, err
	}
	d.imported = true
	by, err := parseID(r.GetBy())
	if err != nil {
		return nil, err
	}
	method, err := wrapMethodOf(kind.Algorithm(r.GetAlgorithm()))
	if err != nil {
		return nil, internal(err)
	}
	return &unwrapping{design: d, wrapMethod: method, by: by, wrapped: r.GetWrapped(), requestID: requestID}, nil
}

// rehearse unwraps the material into an object of the session, examines and destroys it.
func (m *manager) rehearse(u *unwrapping) (material, error) {
	var found material
	err := m.withKey(task{
		id: u.by, doing: "unwrapping the key material",
		canary: func(obj *object) bool { _, err := m.unwrapsKnown(u.wrapMethod, obj, u.requestID); return err == nil },
		do: func(obj *object) result {
			var err error
			found, _, err = m.rehearseOnce(u, obj)
			return outcome(err)
		},
	}, &workerv1.Reply{})
	if err != nil {
		return material{}, uniformUnwrap(err)
	}
	return found, nil
}

func (e *executor) rehearseOnce(u *unwrapping, obj *object) (found material, means kind.Means, err error) {
	b := &bag{executor: e, requestID: u.requestID}
	k, err := b.unwrap(u, obj, false)
	if err == nil {
		b.handles = append(b.handles, k.key)
		found, err = e.examine(u.spec, k)
	}
	return found, k.means, b.empty(err)
}

// outcome is err as withKey takes it.
func outcome(err error) result {
	var op *opError
	if errors.As(err, &op) {
		return op.result()
	}
	return result{wrong: err}
}

// uniformUnwrap gives everything that can be wrong with wrapped material until it is
// unwrapped one answer, whoever found it out. What was unwrapped and is of another kind than
// was asked for is told in words, if it is known: that takes a right padding.
func uniformUnwrap(err error) error {
	var f *fault
	if !errors.As(err, &f) || f.class != workerv1.FailureClass_FAILURE_CLASS_CALLER {
		return err
	}
	said := f.err
	if f.rv != ckr.OK || errors.Is(said, errWrapped) || errors.Is(said, errCiphertext) {
		said = errors.New("the wrapped key material cannot be unwrapped into a key of the type asked for")
	}
	same := callers(said)
	same.function, same.rv = "C_UnwrapKey", ckr.WrappedKeyInvalid
	return same
}

// unwrapsKnown unwraps an AES key that is known, and fails if it is another one afterwards.
func (e *executor) unwrapsKnown(method wrapMethod, obj *object, requestID string) (kind.Means, error) {
	public, res := e.ready(obj, rsaKeys)
	if public == nil {
		return "", res.err()
	}
	s, err := specOf(kind.AES256)
	if err != nil {
		return "", err
	}
	key := make([]byte, s.length)
	_, _ = rand.Read(key) // never fails
	wrapped, err := method.wrap(key, public.rsa)
	if err != nil {
		return "", err
	}
	d := design{spec: s, use: kind.Encrypt, profile: e.token.profile, imported: true}
	found, means, err := e.rehearseOnce(&unwrapping{design: d, wrapMethod: method, wrapped: wrapped, requestID: requestID}, obj)
	if err != nil {
		return "", err
	}
	if want, err := aesFingerprint(key); err != nil || !bytes.Equal(found.fingerprint, want) {
		return "", errors.Join(errDiffers, err)
	}
	return means, nil
}

// wrap wraps key material as those do who hand it in.
func (w wrapMethod) wrap(content []byte, public *rsa.PublicKey) ([]byte, error) {
	if !w.twice {
		return rsa.EncryptOAEP(w.hash.New(), rand.Reader, public, content, nil)
	}
	key := make([]byte, wrappingKeyBits/8)
	_, _ = rand.Read(key) // never fails
	first, err := rsa.EncryptOAEP(w.hash.New(), rand.Reader, public, key, nil)
	if err != nil {
		return nil, err
	}
	second, err := wrapPadded(key, content)
	return slices.Concat(first, second), err
}

// keepUnwrapped unwraps material, which was found to be right, into the token, and returns
// the C_ function that made the key. A failure is not the caller's.
func (m *manager) keepUnwrapped(u *unwrapping, rehearsed material) (function string, err error) {
	obj, err := m.enter(u.by)
	if err != nil {
		return "", err
	}
	defer obj.leave()
	b := &bag{executor: m.executor, requestID: u.requestID}
	k, err := b.unwrap(u, obj, true)
	if err == nil {
		m.objects.claim(u.id, k.key)
		err = m.settle(u, k, rehearsed)
	}
	if err = b.empty(err); err != nil {
		return "", notTheCallers(m.judge(err, "importing the key"))
	}
	m.objects.put(u.id, &object{handle: k.key})
	return k.function, nil
}

// settle checks the new key, and makes sure that the next worker will find it.
func (m *manager) settle(u *unwrapping, k brought, rehearsed material) error {
	if err := m.check(u.design, k.key); err != nil {
		return err
	}
	found, err := m.examine(u.spec, k)
	if err != nil {
		return err
	}
	if !bytes.Equal(found.fingerprint, rehearsed.fingerprint) {
		return internal(fmt.Errorf("the token unwrapped the same %s key material into two different keys", u.kind))
	}
	if err := m.keep(); err != nil {
		return unavailable(err, "check its disk")
	}
	return nil
}

// notTheCallers is a failure of what had worked a moment before.
func notTheCallers(err error) error {
	var f *fault
	if errors.As(err, &f) && f.class == workerv1.FailureClass_FAILURE_CLASS_CALLER {
		f.class = workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE
	}
	return err
}
