package server

import (
	"context"

	"google.golang.org/grpc"
)

// registrar registers services whose undecodable requests are answered, and
// recorded, as any other request.
type registrar struct {
	*grpc.Server
	rejecter
}

// RegisterService is part of grpc.ServiceRegistrar.
func (r registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	d := *desc
	d.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		d.Methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: r.decoding(m.Handler)}
	}
	r.Server.RegisterService(&d, impl)
}

// decoding wraps a generated handler: an error of the codec waits until the
// interceptors have run, and then stands in for the operation.
func (r rejecter) decoding(handler grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
		in := new(incoming)
		receive := func(m any) error {
			in.message = m
			return decode(in)
		}
		return handler(srv, ctx, receive, func(ctx context.Context, req any, info *grpc.UnaryServerInfo, operation grpc.UnaryHandler) (any, error) {
			if in.err != nil {
				operation = func(ctx context.Context, _ any) (any, error) {
					return nil, r.undecodable(ctx, info.FullMethod, in.err)
				}
			}
			return chain(ctx, req, info, operation)
		})
	}
}
