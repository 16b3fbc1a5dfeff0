package hsmpool

import (
	"context"
	"slices"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// Object is a secret or private key of a token, whoever made it.
type Object struct {
	// HSM is the id of the HSM whose token it is in.
	HSM string
	// ID is CKA_ID: 16 bytes if it was made here, empty if it has none or does not
	// tell. Of a longer one these are the first 256 bytes.
	ID []byte
	// Label is CKA_LABEL, its first 256 bytes.
	Label string
}

// Objects lists every secret and private key that is stored in the tokens, as it is now: nothing
// is taken from what the workers know already. All members are asked, and one that does
// not serve is an error, since it may have what the others lack; what several have is listed
// once, as the first one's. Several keys of one token may have one id. What is made or
// destroyed meanwhile may be listed or not. Finding and reading are no audited commands,
// so no HSM entry is left. On a network HSM it takes some milliseconds for each key;
// requests go on beside it. A worker that is lost meanwhile is replaced, and the next one
// asked once; so is a worker that does not find a key that it has used.
func (p *Pool) Objects(ctx context.Context) ([]Object, error) {
	var all []Object
	listed := map[string]bool{} // by members before
	for _, m := range p.members {
		found, err := p.objectsOf(ctx, m)
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(o Object) bool { return listed[string(o.ID)] })
		for _, o := range found {
			listed[string(o.ID)] = true
		}
		all = append(all, found...)
	}
	return all, nil
}

// objectsOf lists what one member has.
func (p *Pool) objectsOf(ctx context.Context, m *member) ([]Object, error) {
	reply, trace, err := p.run(ctx, &order{repeat: true, only: m, message: &workerv1.ToWorker{
		Request: &workerv1.ToWorker_List{List: &workerv1.ListRequest{}},
	}})
	if err != nil {
		return nil, err
	}
	objects := make([]Object, len(reply.GetObjects()))
	for i, o := range reply.GetObjects() {
		objects[i] = Object{HSM: trace.HSM, ID: o.GetObjectId(), Label: o.GetLabel()}
	}
	return objects, nil
}
