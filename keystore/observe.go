package keystore

import (
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/proto/describe"
)

// answered tells the observer, and the trace, what became of a request.
func (r *request) answered(err error) {
	failure := r.failure(err)
	r.spans.end(r, failure)
	if r.k.observer == nil {
		return
	}
	r.k.observer.Answered(Answered{
		Operation: r.operation(), FrontEnd: r.caller.FrontEnd,
		Region: r.k.scope.region, Store: r.store(), Error: failure,
		Total: time.Since(r.began), Queue: r.proof.waited, HSM: r.proof.took, Journal: r.journaled,
	})
}

// failure is the name of the error that is answered, "" if there is none. Most often it
// stands in the event; to look it up takes longer than all else that is measured.
func (r *request) failure(err error) string {
	switch {
	case err == nil:
		return ""
	case r.recorded && r.errorCode != "":
		return r.errorCode
	}
	return describe.ErrorOf(AsError(err).Kind).Name
}

// operation is the method's name. The caller has chosen that of a method that there is not.
func (r *request) operation() string {
	if r.method.Request == nil {
		return ""
	}
	return r.method.Name
}

// store is the custom key store that the request is about: the one whose HSM was asked, or
// else the one of its first target; "" is the default one.
func (r *request) store() string {
	if id := r.proof.storeID(); id != "" || len(r.targets) == 0 {
		return id
	}
	switch first := r.targets[0]; {
	case first.store != nil:
		return first.store.id
	case first.key != nil:
		return first.key.store()
	}
	return ""
}

// timed notes how long a request has waited since a time for a record of it to be durable.
func (r *request) timed(record string, since time.Time) {
	took := time.Since(since)
	r.journaled += took
	r.spans.journal(record, since, took)
}

// timed notes the time that a call of the HSM took, which has just ended.
func (p *proof) timed(t hsmpool.Trace, err error) {
	p.waited += t.Waited
	p.took += t.Took
	p.spans.hsm(t, err)
}
