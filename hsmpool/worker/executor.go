//go:build cgo

package worker

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// executor uses keys on a session of its own. One goroutine uses it.
type executor struct {
	token   *token
	objects *objects
	random  io.Reader
	session pkcs11.SessionHandle
	// serving counts the executors that serve; nil in the makers' and the manager's.
	serving *atomic.Int32
	ended   bool // and takes no more requests

	out   []byte // what the token writes; wiped after use
	plain []byte // random plaintext, and what a raw decryption leaves; wiped after use
}

// newExecutor opens the executor's session.
func newExecutor(t *token, o *objects, random io.Reader) (*executor, error) {
	session, err := t.openSession()
	if err != nil {
		return nil, err
	}
	return &executor{token: t, objects: o, random: random, session: session}, nil
}

// handle carries out one request. The reply's bytes are good until the next one.
func (e *executor) handle(m *workerv1.ToWorker) *workerv1.Reply {
	switch r := m.GetRequest().(type) {
	case *workerv1.ToWorker_Seal:
		defer clear(r.Seal.GetPlaintext())
		return e.seal(r.Seal)
	case *workerv1.ToWorker_Open:
		return e.open(r.Open)
	case *workerv1.ToWorker_Random:
		return e.randomBytes(r.Random)
	case *workerv1.ToWorker_Sign:
		return e.sign(r.Sign)
	case *workerv1.ToWorker_Decrypt:
		return e.decrypt(r.Decrypt)
	case *workerv1.ToWorker_Agree:
		return e.agree(r.Agree, m.GetRequestId())
	case *workerv1.ToWorker_Locate:
		return e.locate(r.Locate)
	}
	return failed(errors.New("unknown request"))
}

// wipe forgets the secrets of the last reply.
func (e *executor) wipe() {
	clear(e.out[:cap(e.out)])
	clear(e.plain[:cap(e.plain)])
}

func (e *executor) randomBytes(r *workerv1.RandomRequest) *workerv1.Reply {
	e.plain = sized(e.plain, int(r.GetLength()))
	if err := e.draw(e.plain); err != nil {
		return failed(err)
	}
	return &workerv1.Reply{Function: "C_GenerateRandom", Plaintext: e.plain}
}

// draw has the token draw random bytes. crypto11 keeps a session that was lost, so then the
// executor draws on its own from now on.
func (e *executor) draw(out []byte) error {
	if e.random != nil {
		err := e.token.drawFrom(e.random, out)
		if err == nil {
			return nil
		}
		failed := result{function: "C_GenerateRandom", rv: rvOf(err)}
		if f, fate := faultOf(e.token.profile.name, failed, "drawing random bytes"); fate != ckr.DropSession || f.isBusy() {
			return f
		}
		e.random = nil
	}
	return twice(e.token.profile.name, "drawing random bytes", e.renew, func() error {
		drawn, err := e.token.ctx.GenerateRandom(e.session, len(out))
		copy(out, drawn)
		clear(drawn)
		if err != nil {
			return &opError{function: "C_GenerateRandom", err: err}
		}
		return nil
	})
}

// locate tells whether the token has a key.
func (e *executor) locate(r *workerv1.LocateRequest) *workerv1.Reply {
	id, err := parseID(r.GetObjectId())
	if err == nil {
		_, err = e.lookup(id)
	}
	if err != nil {
		return failed(err)
	}
	return &workerv1.Reply{Function: "C_FindObjects", Keys: e.objects.count()}
}

func (e *executor) open(r *workerv1.OpenRequest) *workerv1.Reply {
	id, err := parseID(r.GetObjectId())
	if err == nil && (len(r.GetIv()) != ivSize || len(r.GetCiphertext()) < tagSize) {
		err = internal(errors.New("the IV or the ciphertext has an impossible length"))
	}
	if err != nil {
		return failed(err)
	}
	reply := &workerv1.Reply{}
	err = e.withKey(task{id: id, doing: "opening", canary: e.canaryOpens, do: func(obj *object) result {
		return e.openOnce(obj, r.GetIv(), r.GetCiphertext(), r.GetAad())
	}}, reply)
	if err != nil {
		return failed(err)
	}
	reply.Plaintext = e.out
	return reply
}

// openOnce leaves the plaintext in e.out.
func (e *executor) openOnce(obj *object, iv, sealed, aad []byte) result {
	e.out = sized(e.out, len(sealed))
	res := e.token.hot.open(opening{
		session: uint(e.session), key: uint(obj.handle),
		iv: iv, ivBits: 8 * ivSize, sealed: sealed, aad: aad,
	}, e.out)
	e.out = e.out[:len(sealed)-tagSize]
	return res
}

// task is something to be done with a key.
type task struct {
	id    objectID
	doing string
	do    func(*object) result
	// canary tells whether the session and the key still do what they must be able to do,
	// where the table of fates leaves open whether the caller or the device is at fault.
	// Nil where no input of a caller's can fail.
	canary func(*object) bool
}

// withKey does something under a key: once, and once more if the table of fates has
// given it a new session or a new handle, or the canary says that the fault may pass.
// It notes the last C_ function in reply.
func (e *executor) withKey(t task, reply *workerv1.Reply) error {
	for again := true; ; again = false {
		f, fate := e.attempt(t, reply)
		if f == nil {
			return nil
		}
		if !again {
			lastFault(f, fate)
		}
		if f.restart || fate == ckr.Keep || fate == ckr.Canary && !again {
			return f
		}
		if fate != ckr.Canary {
			e.token.tell(f)
		}
		if err := e.recover(t.id, fate); err != nil {
			return err
		}
		if !again {
			return f
		}
	}
}

// attempt does something under a key once. The fault is nil if that worked.
func (e *executor) attempt(t task, reply *workerv1.Reply) (*fault, ckr.Fate) {
	obj, err := e.enter(t.id)
	if err != nil {
		return asFault(err), ckr.Keep
	}
	defer obj.leave()
	res := t.do(obj)
	reply.Function, reply.Rv = res.function, uint32(res.rv)
	if res.rv == ckr.OK {
		return wrongResult(res), ckr.Keep
	}
	return e.judge(obj, res, t)
}

// enter returns the object of an id, whose use it begins.
func (e *executor) enter(id objectID) (*object, error) {
	for {
		obj, err := e.lookup(id)
		if err != nil || obj.enter() {
			return obj, err
		}
	}
}

// wrongResult is the failure of an operation that the token says has succeeded; nil if
// it has.
func wrongResult(res result) *fault {
	if res.wrong == nil {
		return nil
	}
	f := asFault(res.wrong)
	f.result = res
	return f
}

// lastFault makes the second failure in a row one that replaces the worker, if that may
// help. A handle that was just found and is refused is no missing object.
func lastFault(f *fault, fate ckr.Fate) {
	if fate == ckr.Refind {
		f.class = workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE
	}
	f.restart = f.restart || f.class == workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE
}

// judge asks the table of fates, and the canary where the table leaves it open whether
// the caller or the device is at fault. The fate is Canary if the canary has worked.
func (e *executor) judge(obj *object, res result, t task) (*fault, ckr.Fate) {
	f, fate := faultOf(e.token.profile.name, res, t.doing)
	if fate != ckr.Canary {
		return f, fate
	}
	if t.canary != nil && defence.On(defence.Canary) && t.canary(obj) {
		f.hint = ""
		return f, fate
	}
	f.class = workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE
	return f, ckr.DropSession
}

// recover gives the executor a new session unless the canary worked on it, since no
// operation may be left active on the old one, and the object a new handle if it lost
// its own.
func (e *executor) recover(id objectID, fate ckr.Fate) error {
	if fate == ckr.Canary {
		return nil
	}
	if err := e.renew(); err != nil {
		return err
	}
	if fate != ckr.Refind || !defence.On(defence.Refind) {
		return nil
	}
	_, err := e.search(func() (*object, error) { return e.objects.refind(e.session, id) })
	return err
}

// lookup returns the object of an id.
func (e *executor) lookup(id objectID) (*object, error) {
	if obj := e.objects.kept(id); obj != nil {
		return obj, nil
	}
	return e.search(func() (*object, error) { return e.objects.get(e.session, id) })
}

// search looks for an object, and once more if the session has to be renewed.
func (e *executor) search(look func() (*object, error)) (obj *object, err error) {
	err = twice(e.token.profile.name, "looking for the key", e.renew, func() (err error) {
		obj, err = look()
		return err
	})
	return obj, err
}

// canaryOpens tells whether the session and the key still open what they must be able
// to open. The canary is made once for each key of a worker's life.
func (e *executor) canaryOpens(obj *object) bool {
	c := e.canaryOf(obj)
	return c != nil && e.openOnce(obj, c.iv[:], c.sealed, nil).rv == ckr.OK
}

// canaryOf returns the canary of a key, or nil if it cannot be made.
func (e *executor) canaryOf(obj *object) *canary {
	obj.mu.Lock()
	defer obj.mu.Unlock()
	if obj.canary != nil {
		return obj.canary
	}
	c := &canary{}
	if res := e.sealOnce(obj, &c.iv, make([]byte, tagSize), false, nil); res.rv != ckr.OK || res.wrong != nil {
		return nil
	}
	c.sealed = append(c.sealed, e.out...)
	obj.canary = c
	return c
}

// sized returns b with length n, with new memory if it has too little.
func sized(b []byte, n int) []byte {
	if cap(b) < n {
		clear(b[:cap(b)])
		return make([]byte, n, max(n, minScratch))
	}
	return b[:n]
}

// minScratch is enough for the largest message of the API and its tag.
const minScratch = 8 << 10
