package connect

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is a call that failed.
type Error struct {
	// Name is the kind of error as AWS names it, such as "NotFoundException";
	// empty when the server did not answer.
	Name string
	// Message is the server's message, or what kept it from answering.
	Message string
	// RequestID names the request in both audit trails; empty when the server
	// did not answer.
	RequestID string
	// Code is the gRPC status code.
	Code codes.Code
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

// wording is what errors that gRPC makes by itself are told with.
type wording struct {
	clientCert string // the file
	timeout    time.Duration
}

// translate makes an *Error of an error of gRPC. Others, io.EOF among them, it
// leaves alone.
func (w wording) translate(err error) error {
	s, ok := status.FromError(err)
	if !ok || err == nil {
		return err
	}
	e := &Error{Message: s.Message(), Code: s.Code()}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			e.Name = info.GetReason()
			e.RequestID = info.GetMetadata()["request_id"]
			return e
		}
	}
	e.Message = w.local(s)
	return e
}

// local words the statuses that gRPC makes by itself.
func (w wording) local(s *status.Status) string {
	switch s.Code() {
	case codes.Unavailable:
		if refusedCertificate.MatchString(s.Message()) {
			return fmt.Sprintf("the server refused the client certificate %s: it must be valid now and issued by an authority of the server's tls.client_ca", w.clientCert)
		}
		return "cannot reach the server: " + s.Message()
	case codes.DeadlineExceeded:
		return fmt.Sprintf("no answer within %v (--timeout)", w.timeout)
	case codes.Canceled:
		return "interrupted"
	default:
		return fmt.Sprintf("%v: %s", s.Code(), s.Message())
	}
}

// refusedCertificate matches what is left of a connection whose TLS handshake
// was good for the client and not for the server: in TLS 1.3 the server sees
// the client's certificate last. Its alert may be lost to the end of the
// connection.
var refusedCertificate = regexp.MustCompile(`remote error: tls: .*certificate|(reading server preface|write).*(broken pipe|connection reset by peer)`)

// Interrupted reports whether err only says that the caller's context ended.
func Interrupted(err error) bool {
	var e *Error
	return errors.Is(err, context.Canceled) || errors.As(err, &e) && e.Name == "" && e.Code == codes.Canceled
}

func (w wording) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return w.translate(invoke(ctx, method, req, reply, cc, opts...))
}

func (w wording) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, w.translate(err)
	}
	return translated{s, w}, nil
}

// translated is a stream whose errors are translated.
type translated struct {
	grpc.ClientStream

	words wording
}

// RecvMsg is part of grpc.ClientStream.
func (t translated) RecvMsg(m any) error { return t.words.translate(t.ClientStream.RecvMsg(m)) }
