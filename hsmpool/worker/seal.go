//go:build cgo

package worker

import (
	"bytes"
	"errors"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

var (
	// errZeroIV: a token that returns no IV would have every message sealed alike.
	errZeroIV = errors.New("the token left an IV of zeros: wrong profile?")
	// errWrongIV: what such a token seals is lost.
	errWrongIV = errors.New("what the token has sealed does not open with the IV that it told: wrong profile?")
)

func (e *executor) seal(r *workerv1.SealRequest) *workerv1.Reply {
	id, err := parseID(r.GetObjectId())
	if err != nil {
		return failed(err)
	}
	plain, random := r.GetPlaintext(), r.GetRandomLength() > 0
	if random {
		e.plain = sized(e.plain, int(r.GetRandomLength()))
		plain = e.plain
	}
	reply := &workerv1.Reply{Iv: make([]byte, ivSize)}
	err = e.withKey(task{id: id, doing: "sealing", do: func(obj *object) result {
		var iv [ivSize]byte
		res := e.sealOnce(obj, &iv, plain, random, r.GetAad())
		if defence.On(defence.IVReadBack) {
			copy(reply.Iv, iv[:])
		}
		if res.rv == ckr.OK && res.wrong == nil {
			return e.proveIV(obj, reply.Iv, r.GetAad(), res)
		}
		return res
	}}, reply)
	if err != nil {
		return failed(err)
	}
	reply.Ciphertext = e.out
	if random && r.GetKeepPlaintext() {
		reply.Plaintext = plain
	}
	return reply
}

// sealOnce leaves the ciphertext in e.out.
func (e *executor) sealOnce(obj *object, iv *[ivSize]byte, plain []byte, random bool, aad []byte) result {
	e.out = sized(e.out, len(plain)+tagSize)
	return e.token.hot.seal(sealing{
		session: uint(e.session), key: uint(obj.handle),
		iv: iv, ivRandom: e.token.profile.ivRandom, ivBits: e.token.profile.ivBits,
		plain: plain, plainRandom: random, aad: aad,
	}, e.out)
}

// proveIV refuses an IV of zeros, and opens what a worker has sealed first, so that nothing
// is answered that nobody can open: a token may use an IV of its own and not tell it. res is
// the result of the sealing.
func (e *executor) proveIV(obj *object, iv, aad []byte, res result) result {
	if [ivSize]byte(iv) == [ivSize]byte{} {
		res.wrong = internal(errZeroIV)
		return res
	}
	if e.token.ivProven.Load() {
		return res
	}
	sealed := bytes.Clone(e.out)
	opened := e.openOnce(obj, iv, sealed, aad)
	if opened.rv != ckr.OK && e.verdict(opened).Fate == ckr.Canary && e.renew() == nil {
		opened = e.openOnce(obj, iv, sealed, aad) // the code may have been the device's
	}
	e.out = append(e.out[:0], sealed...) // over what was opened
	switch {
	case opened.rv == ckr.OK && opened.wrong == nil:
		e.token.ivProven.Store(true)
		return res
	case opened.rv != ckr.OK && e.verdict(opened).Class == workerv1.FailureClass_FAILURE_CLASS_CALLER:
		res.wrong = internal(errWrongIV)
		return res
	}
	return opened
}

func (e *executor) verdict(r result) ckr.Verdict {
	return ckr.Decide(ckr.Call{Profile: e.token.profile.name, Function: r.function, Mechanism: r.mechanism}, r.rv)
}
