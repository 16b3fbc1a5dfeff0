//go:build cgo

package worker

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const (
	// maxAttribute bounds what is told of a CKA_ID or CKA_LABEL that somebody else
	// chose, in bytes.
	maxAttribute = 256
	// pageSize is the objects of one reply: half a frame if all are of the largest.
	pageSize = 1000
)

// lister tells what the token has, on a session of its own and beside the manager: going
// through a large token on a network takes a while. One goroutine uses it.
type lister struct {
	token   *token
	objects *objects
	lane    *lane
	session pkcs11.SessionHandle
}

func newLister(t *token, o *objects) (*lister, error) {
	session, err := t.openSession()
	if err != nil {
		return nil, err
	}
	return &lister{token: t, objects: o, lane: newLane(), session: session}, nil
}

// handle carries out one request. It returns all replies to it.
func (l *lister) handle() []*workerv1.Reply {
	l.lane.begin()
	defer l.lane.end()
	found, err := l.list()
	if err != nil {
		return []*workerv1.Reply{failed(err)}
	}
	var replies []*workerv1.Reply
	for page := range slices.Chunk(found, pageSize) {
		replies = append(replies, &workerv1.Reply{Objects: page, More: true})
	}
	return append(replies, &workerv1.Reply{Function: "C_FindObjects"})
}

// list lists the token's keys.
func (l *lister) list() (found []*workerv1.TokenObject, err error) {
	renew := func() error { return l.token.renewSession(&l.session) }
	err = twice(l.token.profile.name, "listing the token's keys", renew, func() (err error) {
		found, err = l.listOnce()
		return err
	})
	return found, err
}

// listOnce goes through the token. Not the token but each object is what the library is
// at for so and so long.
func (l *lister) listOnce() ([]*workerv1.TokenObject, error) {
	before := l.objects.census()
	handles, err := l.objects.findKeys(l.session)
	if err != nil {
		return nil, err
	}
	found := make([]*workerv1.TokenObject, 0, len(handles))
	for _, h := range handles {
		l.lane.begin()
		values, err := l.read(h, pkcs11.CKA_ID, pkcs11.CKA_LABEL)
		if err != nil {
			return nil, err
		}
		if values != nil {
			if id, ok := before.owner[h]; ok && !bytes.Equal(id[:], values[0]) {
				l.objects.forget(id) // the library has given its handle to this object
			}
			found = append(found, &workerv1.TokenObject{ObjectId: values[0], Label: text(string(values[1]))})
		}
	}
	return found, l.objects.compare(before, found)
}

// read reads attributes of an object: nothing of one that it does not tell, and nil if
// there is no such object any more.
func (l *lister) read(h pkcs11.ObjectHandle, types ...uint) ([][]byte, error) {
	query := make([]*pkcs11.Attribute, len(types))
	for i, t := range types {
		query[i] = pkcs11.NewAttribute(t, nil)
	}
	attrs, err := l.token.ctx.GetAttributeValue(l.session, h, query)
	switch {
	case rvOf(err) == ckr.ObjectHandleInvalid:
		return nil, nil
	case odd(err):
		return l.readEach(h, types)
	case err != nil:
		return nil, &opError{function: "C_GetAttributeValue", err: err}
	}
	values := make([][]byte, len(attrs))
	for i, a := range attrs {
		values[i] = a.Value[:min(len(a.Value), maxAttribute)]
	}
	return values, nil
}

// readEach reads attributes one by one, since one of them is not told.
func (l *lister) readEach(h pkcs11.ObjectHandle, types []uint) ([][]byte, error) {
	if len(types) == 1 {
		return [][]byte{nil}, nil
	}
	var all [][]byte
	for _, t := range types {
		values, err := l.read(h, t)
		if values == nil {
			return nil, err
		}
		all = append(all, values...)
	}
	return all, nil
}

// census is the keys that the worker knew at a moment, after so many destructions.
type census struct {
	ids      []objectID
	owner    map[pkcs11.ObjectHandle]objectID // of each handle
	destroys uint64
}

func (o *objects) census() census {
	o.mu.RLock()
	defer o.mu.RUnlock()
	c := census{destroys: o.destroys, owner: make(map[pkcs11.ObjectHandle]objectID, len(o.byID))}
	for id, obj := range o.byID {
		c.ids = append(c.ids, id)
		c.owner[obj.handle] = id
	}
	return c
}

// compare refuses a list that lacks a key of the census although none was destroyed: the
// library may have lost its state, and the next worker can tell.
func (o *objects) compare(c census, found []*workerv1.TokenObject) error {
	if o.destructions() != c.destroys {
		return nil
	}
	listed := make(map[string]bool, len(found))
	for _, obj := range found {
		listed[string(obj.GetObjectId())] = true
	}
	for _, id := range c.ids {
		if !listed[string(id[:])] {
			return lost(fmt.Errorf("the library no longer finds the key %s", id))
		}
	}
	return nil
}
