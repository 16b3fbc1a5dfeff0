package server

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// StreamRequest is a request for a stream of the operator service that has come over
// another protocol than gRPC, of a caller who has proved who it is.
type StreamRequest struct {
	// Method is gRPC's full name of the method, which answers a stream.
	Method string
	// Message is the request.
	Message proto.Message
	// Send takes each answer, and returns when the client has taken it. Its error ends the
	// stream. It bounds the wait for the client.
	Send func(proto.Message) error
}

// Follow is Invoke for streams: one has a place among the operator's streams, and
// lasts until the operation, the context or the server ends. Nil says that the operation
// has sent all that there is. Whether the caller is still who opened it, and may, is seen to
// by who calls and by the operation.
func (s *Server) Follow(ctx context.Context, r StreamRequest) *keystore.Error {
	return s.inProcess.follow(ctx, r, s.drain)
}

func (p *inProcess) follow(ctx context.Context, r StreamRequest, d *drain) *keystore.Error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	caller, _ := keystore.CallerFrom(ctx)
	at, refusal := p.admission.take(caller.Principal, r.Method)
	if at.pool == nil {
		p.admission.observe(r.Method, caller.FrontEnd, refusal.Kind)
		return refusal
	}
	defer at.leave()
	defer context.AfterFunc(d.stopping, func() { end(errDraining) })()
	ctx = context.WithValue(ctx, arrivalKey{}, &arrival{end: end, refusal: refusal})
	handler, ok := p.streams[r.Method]
	if !ok {
		handler = p.rejecter.notStreamed(r.Method)
	}
	info := &grpc.StreamServerInfo{FullMethod: r.Method, IsServerStream: true}
	err := p.streamChain(p.operator, &localStream{ctx: ctx, request: r}, info, handler)
	if cause := context.Cause(ctx); err == nil && errors.Is(cause, errDraining) {
		err = cause // there would have been more
	}
	if err != nil {
		return p.errs.explain(ctx, r.Method, err)
	}
	return nil
}

// notStreamed answers a method that is no stream of the operator service.
func (r rejecter) notStreamed(method string) grpc.StreamHandler {
	return func(_ any, ss grpc.ServerStream) error {
		return r.reject(ss.Context(), method, &keystore.Error{
			Kind: annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION, Message: "Unknown operation: " + method,
		})
	}
}

// operatorStreams are the handlers of the operator service's streams.
func operatorStreams() map[string]grpc.StreamHandler {
	desc, all := &operatorv1.OperatorService_ServiceDesc, map[string]grpc.StreamHandler{}
	for _, s := range desc.Streams {
		all["/"+desc.ServiceName+"/"+s.StreamName] = s.Handler
	}
	return all
}

// chainedStreams makes one interceptor of several, the first outermost.
func chainedStreams(all ...grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, operation grpc.StreamHandler) error {
		for i := len(all) - 1; i >= 0; i-- {
			next, outer := operation, all[i]
			operation = func(srv any, ss grpc.ServerStream) error { return outer(srv, ss, info, next) }
		}
		return operation(srv, ss)
	}
}

// refusing answers the refused streams in process.
func (r rejecter) refusing(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if refusal := arrivalOf(ss.Context()).refusal; refusal != nil {
		return r.reject(ss.Context(), info.FullMethod, refusal)
	}
	return next(srv, ss)
}

// localStream is a grpc.ServerStream without a transport: its client's only message is
// there, and nobody sees headers.
type localStream struct {
	ctx      context.Context
	request  StreamRequest
	received bool
}

// Context is part of grpc.ServerStream.
func (s *localStream) Context() context.Context { return s.ctx }

// RecvMsg is part of grpc.ServerStream.
func (s *localStream) RecvMsg(m any) error {
	into, ok := m.(proto.Message)
	if !ok || into.ProtoReflect().Descriptor() != s.request.Message.ProtoReflect().Descriptor() {
		return fmt.Errorf("%s is asked with a %T, not with a %T", s.request.Method, m, s.request.Message)
	}
	if s.received {
		return io.EOF
	}
	s.received = true
	proto.Merge(into, s.request.Message)
	return nil
}

// SendMsg is part of grpc.ServerStream.
func (s *localStream) SendMsg(m any) error {
	answer, ok := m.(proto.Message)
	if !ok {
		return fmt.Errorf("%s answers a %T", s.request.Method, m)
	}
	return s.request.Send(answer)
}

// SetHeader is part of grpc.ServerStream.
func (*localStream) SetHeader(metadata.MD) error { return nil }

// SendHeader is part of grpc.ServerStream.
func (*localStream) SendHeader(metadata.MD) error { return nil }

// SetTrailer is part of grpc.ServerStream.
func (*localStream) SetTrailer(metadata.MD) {}
