package console

import (
	"context"
	"net/http"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	"github.com/strongroom-kms/strongroom/server"
)

// visit is a request of somebody who is signed in, and its answer.
type visit struct {
	*Console
	w http.ResponseWriter
	r *http.Request
	identity
	// region is where the requests of a Region's services are done.
	region string
}

// visit begins one; the Region is that of the parameter region, if there is such a one.
func (c *Console) visit(w http.ResponseWriter, r *http.Request, who identity) *visit {
	region := r.URL.Query().Get("region")
	if !slices.Contains(c.regions, region) {
		region = c.regions[0]
	}
	return &visit{Console: c, w: w, r: r, identity: who, region: region}
}

// query is the value of a parameter of the page's address; empty if it is not given.
func (v *visit) query(name string) string { return v.r.URL.Query().Get(name) }

// context begins a request: each has an id of its own.
func (v *visit) context() (context.Context, keystore.Caller) {
	ctx := keystore.NewContext(v.r.Context(), v.caller(v.r, v.region))
	caller, _ := keystore.CallerFrom(ctx)
	return ctx, caller
}

// ask does a request and copies its answer to into.
func (v *visit) ask(method string, request, into proto.Message) *failure {
	ctx, caller := v.context()
	err := v.operations.Invoke(ctx, server.Request{
		Method: method,
		Decode: func(m proto.Message) error { proto.Merge(m, request); return nil },
		Answer: func(m proto.Message) { proto.Merge(into, m) },
	})
	if err == nil {
		return nil
	}
	return v.failed(method, caller.RequestID, err)
}

// failure is why a request was not answered, in words for people.
type failure struct {
	// Kind is what it is, Name what AWS calls it.
	Kind annotationsv1.ErrorKind
	Name string
	// Message is what the caller hears.
	Message string
	// Operation is what was asked for, Actions the IAM actions that it needs.
	Operation string
	Actions   []string
	// RequestID is that of the request, by which its event is found.
	RequestID string
}

func (v *visit) failed(method, requestID string, err *keystore.Error) *failure {
	f := &failure{Kind: err.Kind, Name: errorName(err.Kind), Message: err.Message, RequestID: requestID}
	if m := v.api.Method(method); m != nil {
		f.Operation, f.Actions = m.Name, m.Actions
	}
	return f
}

// Denied says that the visitor may not.
func (f *failure) Denied() bool {
	return f != nil && f.Kind == annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED
}

// Missing says that what was asked for is not there.
func (f *failure) Missing() bool {
	return f != nil && (f.Kind == annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND || f.Kind == annotationsv1.ErrorKind_ERROR_KIND_INVALID_ARN)
}

// Temporary says that trying again may help.
func (f *failure) Temporary() bool {
	switch f.Kind { //nolint:exhaustive // of a long list these
	case annotationsv1.ErrorKind_ERROR_KIND_THROTTLING, annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE,
		annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT, annotationsv1.ErrorKind_ERROR_KIND_REQUEST_TIMEOUT:
		return true
	}
	return false
}

// status is the HTTP status of a page whose main matter failed.
func (f *failure) status() int {
	switch {
	case f == nil:
		return http.StatusOK
	case f.Denied():
		return http.StatusForbidden
	case f.Missing():
		return http.StatusNotFound
	}
	return errorStatus(f.Kind)
}

// part is a part of a page: what was asked for, or why it is not there.
type part[T any] struct {
	Value   T
	Failure *failure
}
