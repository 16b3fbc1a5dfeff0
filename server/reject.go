package server

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	"github.com/strongroom-kms/strongroom/server/authn"
)

// rejecter answers requests that reach no operation, by recording them.
type rejecter struct {
	reject func(ctx context.Context, fullMethod string, err *keystore.Error) error
}

// unknown answers the methods that no service has.
func (r rejecter) unknown(_ any, ss grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(ss)
	return r.reject(ss.Context(), method, &keystore.Error{
		Kind:    annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION,
		Message: fmt.Sprintf("Unknown operation: %s", method),
	})
}

// undecodable answers a request that was refused, or whose message the codec
// did not take.
func (r rejecter) undecodable(ctx context.Context, method string, err error) error {
	if refusal, ok := errors.AsType[*keystore.Error](err); ok {
		return r.reject(ctx, method, refusal)
	}
	e := &keystore.Error{
		Kind:    annotationsv1.ErrorKind_ERROR_KIND_SERIALIZATION,
		Message: "The request message cannot be decoded.",
		Err:     err,
	}
	if errors.Is(err, errTooLarge) {
		e.Kind = annotationsv1.ErrorKind_ERROR_KIND_REQUEST_ENTITY_TOO_LARGE
		e.Message = fmt.Sprintf("The request message is larger than %d bytes.", MaxRequestBytes)
	}
	return r.reject(ctx, method, e)
}

// stream answers the refused streams of ours, and their undecodable messages. A
// stream is its opener's only.
func (r rejecter) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if isInfrastructure(info.FullMethod) {
		return next(srv, ss)
	}
	if refusal := arrivalOf(ss.Context()).refusal; refusal != nil {
		return r.reject(ss.Context(), info.FullMethod, refusal)
	}
	return next(srv, &decodingStream{ServerStream: authn.WhileSame(ss), rejecter: r, method: info.FullMethod})
}

type decodingStream struct {
	grpc.ServerStream
	rejecter
	method string
}

// RecvMsg is part of grpc.ServerStream.
func (s *decodingStream) RecvMsg(m any) error {
	in := &incoming{message: m}
	if err := s.ServerStream.RecvMsg(in); err != nil {
		return err
	}
	if in.err != nil {
		return s.undecodable(s.Context(), s.method, in.err)
	}
	return nil
}
