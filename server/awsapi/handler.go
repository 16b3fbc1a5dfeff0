package awsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	"github.com/strongroom-kms/strongroom/server"
	"github.com/strongroom-kms/strongroom/server/authn"
	"github.com/strongroom-kms/strongroom/server/awsapi/awscbor"
	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

// Operations does requests of callers who have proved who they are. *server.Server
// is one.
type Operations interface {
	Invoke(ctx context.Context, r server.Request) *keystore.Error
}

// Verifier finds out who has signed a request to a service. *sigv4.Verifier is one: a *sigv4.Error
// is for the client, another error is that of read, or why an access key cannot be
// had.
type Verifier interface {
	Verify(r *http.Request, service string, read func() ([]byte, error)) (sigv4.Signed, error)
}

// Config is what the endpoint needs; all of it but Logger.
type Config struct {
	API        *describe.API
	Operations Operations
	Verifier   Verifier
	// MaxArriving is how many requests are read and verified at once; further ones
	// are refused. As many as there may be connections are enough for HTTP/1.1, and
	// bound what strangers, with many requests on one of HTTP/2, keep in memory.
	MaxArriving int
	// Logger takes the log; nil is silence.
	Logger hclog.Logger
}

// handler answers requests of AWS's protocols.
type handler struct {
	api        *describe.API
	operations Operations
	verifier   Verifier
	arriving   chan struct{} // has a value for each request that is read or verified
	log        hclog.Logger
	suites     map[uint16]string // names of cipher suites
	uncached   http.Header       // of every answer
	cbor       cborProtocol
}

// NewHandler returns the endpoint, which answers every path and method: AWS has
// errors of its own for the wrong ones.
func NewHandler(c Config) (http.Handler, error) {
	if c.API == nil || c.Operations == nil || c.Verifier == nil || c.MaxArriving <= 0 {
		return nil, errors.New("awsapi: API, Operations, Verifier and MaxArriving are needed")
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	decoder, err := awscbor.NewDecoder()
	if err != nil {
		return nil, fmt.Errorf("awsapi: %w", err)
	}
	return &handler{
		api: c.API, operations: c.Operations, verifier: c.Verifier, log: c.Logger,
		arriving: make(chan struct{}, c.MaxArriving),
		suites:   cipherSuites(), uncached: uncached(), cbor: cborProtocol{decoder},
	}, nil
}

// ServeHTTP is part of http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{handler: h, w: w, r: r, id: uuid.NewString(), protocol: h.protocolOf(r)}
	defer x.recovered()
	if err := x.serve(); err != nil {
		x.fail(err)
	}
}

// exchange is one request and its answer.
type exchange struct {
	*handler
	w        http.ResponseWriter
	r        *http.Request
	id       string
	protocol protocol
	method   *describe.Method // nil: it is not known
}

// serve finds out what is asked, and by whom, and has it done. A request whose
// operation or whose signer is not known has no event, as with AWS.
func (x *exchange) serve() *keystore.Error {
	method, err := x.route()
	if err != nil {
		return err
	}
	x.method = method
	buffer := borrow()
	body, caller, err := x.arrive(*buffer)
	defer func() { buffer.giveBack(body) }() // a message decoded from it shares none of it
	if err != nil {
		return err
	}
	return x.operations.Invoke(keystore.NewContext(x.r.Context(), caller), server.Request{
		Method: method.FullMethod, TraceParent: x.r.Header.Get(server.TraceHeader),
		Decode: func(m proto.Message) error { return x.protocol.decode(method.Request, body, m) },
		Answer: x.answer,
	})
}

// recovered answers a request whose handling has panicked. Package server has
// answered already what panics in an operation; and net/http would log the value,
// which may hold a secret.
func (x *exchange) recovered() {
	if v := recover(); v != nil {
		x.fail(keystore.AsError(keystore.LogPanic(x.log, v, "a request of an AWS client", x.id)))
	}
}

// arrive reads the body, to the end of dst, and finds out who has sent it. Until
// then it may be anybody, so that only so many do it at once. The body is to be
// wiped also if it fails.
func (x *exchange) arrive(dst []byte) ([]byte, keystore.Caller, *keystore.Error) {
	select {
	case x.arriving <- struct{}{}:
		defer func() { <-x.arriving }()
	default:
		return dst, keystore.Caller{}, &keystore.Error{
			Kind:    annotationsv1.ErrorKind_ERROR_KIND_THROTTLING,
			Message: "The server is at its limit of requests that are arriving at the same time (limits.max_connections). Try again later.",
		}
	}
	body := dst
	caller, refusal := x.caller(func() ([]byte, error) {
		var failed *keystore.Error
		if body, failed = x.body(dst); failed != nil {
			return nil, failed
		}
		return body, nil
	})
	return body, caller, refusal
}

// route finds the operation.
func (x *exchange) route() (*describe.Method, *keystore.Error) {
	if len(x.r.Header["Origin"]) > 0 {
		return nil, errWebPage()
	}
	return x.protocol.route(x.api, x.r)
}

// errWebPage refuses what a web page asks. A page whose own host name has come to
// mean this machine is not kept by the browser from sending anything, and the
// access key of a development server is no secret. No other client has an Origin.
func errWebPage() *keystore.Error {
	return &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED, Message: "Requests of web pages are not answered."}
}

// caller finds out who has signed the request.
func (x *exchange) caller(read func() ([]byte, error)) (keystore.Caller, *keystore.Error) {
	signed, err := x.verifier.Verify(x.r, x.method.SigningName, read)
	if err != nil {
		return keystore.Caller{}, x.refused(err)
	}
	return keystore.Caller{
		FrontEnd:    keystore.FrontEndAWS,
		Principal:   signed.Principal,
		AccessKeyID: signed.AccessKeyID,
		RequestID:   x.id,
		SourceIP:    authn.Host(x.r.RemoteAddr),
		UserAgent:   x.r.UserAgent(),
		TLS:         x.tls(),
		Region:      signed.Region,
	}, nil
}

// refused is the answer to a request that is not signed as it must be, whose
// access key cannot be had, or whose body cannot be read.
func (x *exchange) refused(err error) *keystore.Error {
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		return &keystore.Error{Kind: e.Kind, Message: e.Message}
	}
	// The key store has said so once; who sends such requests may be anybody.
	x.log.Debug("a request could not be verified", "request_id", x.id, "error", err)
	return keystore.AsError(err)
}
