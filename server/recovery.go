package server

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/keystore"
)

// recovery turns a panic of an operation into an InternalFailure, with an
// event. One request's fault must not end the others'.
type recovery struct {
	reject func(ctx context.Context, fullMethod string, err *keystore.Error) error
	logger hclog.Logger
}

func (r recovery) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, r.failed(ctx, info.FullMethod, p)
		}
	}()
	return next(ctx, req)
}

func (r recovery) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.failed(ss.Context(), info.FullMethod, p)
		}
	}()
	return next(srv, ss)
}

// failed logs the panic with its stack, records the request and returns its
// error. It runs deferred, while the stack is still that of the panic.
func (r recovery) failed(ctx context.Context, method string, p any) error {
	caller, _ := keystore.CallerFrom(ctx)
	err := keystore.LogPanic(r.logger, p, method, caller.RequestID)
	if isInfrastructure(method) {
		return keystore.AsError(err)
	}
	return r.reject(ctx, method, keystore.AsError(err))
}
