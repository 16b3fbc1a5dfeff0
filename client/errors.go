package client

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errorDomain is the domain of the names of AWS KMS in google.rpc.ErrorInfo. What
// is between the server and us may answer too, with names of its own.
const errorDomain = "kms.amazonaws.com"

// Error is a call that failed. errors.As finds it in what calls return; status.Code
// and status.FromError of gRPC know it too. A call that its context has ended is
// context.Canceled or context.DeadlineExceeded to errors.Is.
type Error struct {
	// Name is the kind of error as AWS names it, such as "NotFoundException";
	// empty when the server did not answer. The errors of an operation stand at
	// it in strongroom/kms/v1/kms.proto, and all names in
	// strongroom/annotations/v1 (ErrorKind). Later versions may have more.
	Name string
	// Message is the server's message, or what kept it from answering.
	Message string
	// RequestID names the request in both audit trails; empty when the server
	// did not answer.
	RequestID string
	// Code is the gRPC status code.
	Code codes.Code
	// RetryAfter is when the server says to come again; 0 if it does not.
	RetryAfter time.Duration

	status   *status.Status
	hopeless bool // no other attempt can do better
}

// AsError returns the *Error that err is or wraps, or makes one of the status of
// a gRPC call that was made over a connection of another's.
func AsError(err error) (*Error, bool) {
	return wording{}.asError(context.Background(), err)
}

// Error gives the name, the message and the request id in one line.
func (e *Error) Error() string {
	text := e.Message
	if e.Name != "" {
		text = e.Name + ": " + text
	}
	if e.RequestID != "" {
		text += fmt.Sprintf(" (request id %s)", e.RequestID)
	}
	return text
}

// Is makes the end of a call's context known to errors.Is.
func (e *Error) Is(target error) bool {
	switch {
	case e.Name != "":
		return false
	case e.Code == codes.Canceled:
		return target == context.Canceled
	case e.Code == codes.DeadlineExceeded:
		return target == context.DeadlineExceeded
	}
	return false
}

// GRPCStatus returns the status as it came, with its details. It makes an Error
// known to gRPC's package status.
func (e *Error) GRPCStatus() *status.Status {
	if e.status == nil { // an Error that a caller's test has made
		return status.New(e.Code, e.Message)
	}
	return e.status
}

// wording is what errors that gRPC makes by itself are told with.
type wording struct {
	clientCert string // the file, if there is one
}

// asError is AsError for a call with ctx.
func (w wording) asError(ctx context.Context, err error) (*Error, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e, true
	}
	s, ok := status.FromError(err)
	if !ok || err == nil {
		return nil, false
	}
	e := &Error{Message: s.Message(), Code: s.Code(), status: s}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == errorDomain {
				e.Name, e.RequestID = d.GetReason(), d.GetMetadata()["request_id"]
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		}
	}
	if e.Name == "" {
		e.Message, e.hopeless = w.local(ctx, s)
	}
	return e, true
}

// translate makes an *Error of an error of gRPC. Others, io.EOF among them, it
// leaves alone.
func (w wording) translate(ctx context.Context, err error) error {
	if e, ok := w.asError(ctx, err); ok {
		return e
	}
	return err
}

// local words the statuses that gRPC makes by itself, and tells a connection that
// will fail the same way at the next attempt.
func (w wording) local(ctx context.Context, s *status.Status) (message string, hopeless bool) {
	switch s.Code() {
	case codes.Unavailable:
		return w.unreachable(s.Message())
	case codes.DeadlineExceeded, codes.Canceled:
		return ended(ctx, s), false
	default:
		return fmt.Sprintf("%v: %s", s.Code(), s.Message()), false
	}
}

// noAnswer begins gRPC's message for a request that was sent when its connection
// was lost.
const noAnswer = "error reading from server"

// unreachable words the end of a connection.
func (w wording) unreachable(why string) (message string, hopeless bool) {
	alert := certificateAlert.MatchString(why)
	if alert || lostAlert.MatchString(why) && !strings.Contains(why, handshakeFailed) {
		return fmt.Sprintf("the server refused the client certificate%s: it must be valid now and issued by an authority of the server's tls.client_ca", w.named()), alert
	}
	if strings.HasPrefix(why, noAnswer) {
		return "the connection was lost before an answer came, and the request may have been done: " + why, false
	}
	return "cannot reach the server: " + why, badServer.MatchString(why)
}

// ahead is how much earlier than here a deadline may have passed at the server, which is told how
// much time there is.
const ahead = 100 * time.Millisecond

// ended says why a context ended in the words of who ended it, if there are any. The server
// may be the first to say that the time is over.
func ended(ctx context.Context, s *status.Status) string {
	if at, ok := ctx.Deadline(); ok && s.Code() == codes.DeadlineExceeded && time.Until(at) < ahead {
		<-ctx.Done()
	}
	if cause := context.Cause(ctx); cause != nil && cause != ctx.Err() { //nolint:errorlint // a wrapped one has words of its own
		return cause.Error()
	}
	return "no answer: " + s.Message()
}

func (w wording) named() string {
	if w.clientCert == "" {
		return ""
	}
	return " " + w.clientCert
}

// handshakeFailed is what gRPC says when a TLS handshake was not good for the
// client.
const handshakeFailed = "authentication handshake failed"

// What the ends of connections say for which the next attempt would be no better.
// A connection that merely broke during its handshake may be one too many for the
// server, or that of a load balancer that restarts.
var (
	// certificateAlert matches the server's refusal of the client's certificate.
	certificateAlert = regexp.MustCompile(`remote error: tls: .*certificate`)
	// badServer matches a server whose certificate is not good.
	badServer = regexp.MustCompile(handshakeFailed + `: .*(x509: |tls: failed to verify)`)
)

// lostAlert matches what is left of a connection whose TLS handshake was good for
// the client and probably not for the server: in TLS 1.3 the server sees the
// client's certificate last, and its alert may be lost to the end of the
// connection.
var lostAlert = regexp.MustCompile(`(reading server preface|write).*(broken pipe|connection reset by peer)`)

func (w wording) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return w.translate(ctx, invoke(ctx, method, req, reply, cc, opts...))
}

func (w wording) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, w.translate(ctx, err)
	}
	return translated{s, w}, nil
}

// translated is a stream whose errors are translated.
type translated struct {
	grpc.ClientStream

	words wording
}

// RecvMsg is part of grpc.ClientStream.
func (t translated) RecvMsg(m any) error {
	return t.words.translate(t.Context(), t.ClientStream.RecvMsg(m))
}
