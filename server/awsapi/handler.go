package awsapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	"github.com/strongroom-kms/strongroom/server"
	"github.com/strongroom-kms/strongroom/server/awsapi/awsjson"
	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

// Operations does requests of callers who have proved who they are. *server.Server
// is one.
type Operations interface {
	Invoke(ctx context.Context, r server.Request) *keystore.Error
}

// Verifier finds out who has signed a request. *sigv4.Verifier is one; its errors
// are *sigv4.Error.
type Verifier interface {
	Verify(r *http.Request, body []byte) (sigv4.Signed, error)
}

// Config is what the endpoint needs; all of it but Logger.
type Config struct {
	API        *describe.API
	Operations Operations
	Verifier   Verifier
	// Logger takes the log; nil is silence.
	Logger hclog.Logger
}

// handler answers requests of the AWS JSON protocol.
type handler struct {
	api        *describe.API
	operations Operations
	verifier   Verifier
	log        hclog.Logger
}

// NewHandler returns the endpoint, which answers every path and method: AWS has
// errors of its own for the wrong ones.
func NewHandler(c Config) (http.Handler, error) {
	if c.API == nil || c.Operations == nil || c.Verifier == nil {
		return nil, errors.New("awsapi: API, Operations and Verifier are needed")
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return &handler{api: c.API, operations: c.Operations, verifier: c.Verifier, log: c.Logger}, nil
}

// ServeHTTP is part of http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{handler: h, w: w, r: r, id: uuid.NewString()}
	if err := x.serve(); err != nil {
		x.fail(err)
	}
}

// exchange is one request and its answer.
type exchange struct {
	*handler
	w      http.ResponseWriter
	r      *http.Request
	id     string
	method *describe.Method
}

// serve finds out what is asked, and by whom, and has it done. A request whose
// operation or whose signer is not known has no event, as with AWS.
func (x *exchange) serve() *keystore.Error {
	method, err := x.route()
	if err != nil {
		return err
	}
	x.method = method
	body, err := x.body()
	defer clear(body) // it may hold plaintext
	if err != nil {
		return err
	}
	caller, err := x.caller(body)
	if err != nil {
		return err
	}
	return x.operations.Invoke(keystore.NewContext(x.r.Context(), caller), server.Request{
		Method: method.FullMethod,
		Decode: func(m proto.Message) error { return decode(method, body, m) },
		Answer: x.answer,
	})
}

// route finds the operation.
func (x *exchange) route() (*describe.Method, *keystore.Error) {
	unknown := &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION}
	if x.r.Method != http.MethodPost || x.r.URL.Path != "/" {
		return nil, unknown
	}
	m := x.api.Target(x.r.Header.Get("X-Amz-Target"))
	if m == nil {
		return nil, unknown
	}
	if t, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || t != contentType(m) {
		return nil, unknown
	}
	return m, nil
}

// contentType is that of a service's requests and answers.
func contentType(m *describe.Method) string { return "application/x-amz-json-" + m.JSONVersion }

// MaxRequestBytes is the largest body of a request, in bytes: base64 takes a third
// more than the octets that gRPC takes.
const MaxRequestBytes = 2 * server.MaxRequestBytes

// body reads the request's body, up to the limit.
func (x *exchange) body() ([]byte, *keystore.Error) {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, MaxRequestBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return body, &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_REQUEST_ENTITY_TOO_LARGE,
			Message: fmt.Sprintf("The request is larger than %d bytes.", MaxRequestBytes)}
	case err != nil:
		return body, &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_MALFORMED_HTTP_REQUEST, Message: "The request's body cannot be read.", Err: err}
	}
	return body, nil
}

// caller finds out who has signed the request.
func (x *exchange) caller(body []byte) (keystore.Caller, *keystore.Error) {
	signed, err := x.verifier.Verify(x.r, body)
	if err != nil {
		return keystore.Caller{}, x.refused(err)
	}
	return keystore.Caller{
		Principal:   signed.Principal,
		AccessKeyID: signed.AccessKeyID,
		RequestID:   x.id,
		SourceIP:    host(x.r.RemoteAddr),
		UserAgent:   x.r.UserAgent(),
		TLS:         tlsOf(x.r),
		Region:      signed.Region,
	}, nil
}

// refused is the answer to a request that is not signed as it must be, or whose
// access key cannot be had.
func (x *exchange) refused(err error) *keystore.Error {
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		return &keystore.Error{Kind: e.Kind, Message: e.Message}
	}
	x.log.Error("a signature could not be verified", "request_id", x.id, "error", err)
	return keystore.AsError(err)
}

// decode reads a request's members.
func decode(m *describe.Method, body []byte, into proto.Message) error {
	err := awsjson.Decode(m.Request, body, into)
	if e, ok := errors.AsType[*awsjson.Error](err); ok {
		return &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_SERIALIZATION, Message: e.Message}
	}
	if err != nil {
		return keystore.AsError(err)
	}
	return nil
}

// tlsOf describes the request's connection.
func tlsOf(r *http.Request) *keystore.TLS {
	if r.TLS == nil {
		return nil
	}
	version := tls.VersionName(r.TLS.Version)
	switch r.TLS.Version {
	case tls.VersionTLS13:
		version = "TLSv1.3"
	case tls.VersionTLS12:
		version = "TLSv1.2"
	}
	return &keystore.TLS{Version: version, CipherSuite: tls.CipherSuiteName(r.TLS.CipherSuite), Host: host(r.Host)}
}

// host is an address without its port, if it has one.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
