//go:build cgo

package worker

import (
	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// maxSignature is room for the longest signature, in bytes: RSA's with the longest modulus
// that tokens have.
const maxSignature = 2048

// sign makes a signature or a MAC.
func (e *executor) sign(r *workerv1.SignRequest) *workerv1.Reply {
	defer clear(r.GetInput())
	id, err := parseID(r.GetObjectId())
	if err != nil {
		return failed(err)
	}
	m, err := methodOf(kind.Algorithm(r.GetAlgorithm()))
	if err != nil {
		return failed(internal(err))
	}
	in, err := m.prepare(r.GetInput())
	if err != nil {
		return failed(internal(err))
	}
	defer clear(in)
	reply := &workerv1.Reply{}
	err = e.withKey(task{id: id, doing: "signing by " + m.by.name, do: func(obj *object) result {
		if f, res := e.ready(obj, m.family); f == nil {
			return res
		}
		return e.signOnce(uint(obj.handle), m.by, in)
	}}, reply)
	if err == nil {
		reply.Signature, err = m.encode(e.out)
	}
	if err != nil {
		return failed(err)
	}
	return reply
}

// signOnce leaves what the token answers in e.out.
func (e *executor) signOnce(key uint, by mechanism, in []byte) result {
	e.out = sized(e.out, maxSignature)
	n, res := e.token.hot.sign(operation{session: uint(e.session), key: key, by: by, in: in}, e.out)
	e.out = e.out[:n]
	return res
}
