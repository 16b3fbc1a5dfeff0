package server

import (
	"context"

	"google.golang.org/grpc"
)

// registrar registers services behind admission.
type registrar struct {
	*grpc.Server
	admission *admission
	rejecter  rejecter
	regions   *regions // nil: the service is not of a Region
}

// RegisterService is part of grpc.ServiceRegistrar. Undecodable requests of our
// own services are answered, and recorded, as any other request.
func (r registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	d := *desc
	d.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		method, handler := "/"+desc.ServiceName+"/"+m.MethodName, m.Handler
		if !isInfrastructure(method) {
			handler = r.rejecter.decoding(handler)
		}
		if r.regions != nil {
			handler = r.regions.choosing(handler)
		}
		d.Methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: r.admission.unary(method, handler)}
	}
	r.Server.RegisterService(&d, impl)
}

// decoding wraps a generated handler: an error of the codec, or a refusal, waits
// until the interceptors have run, and then stands in for the operation. The
// message of a refused request is not read.
func (r rejecter) decoding(handler grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
		in := new(incoming)
		receive := func(m any) error {
			if refusal := arrivalOf(ctx).refusal; refusal != nil {
				in.err = refusal
				return nil //nolint:nilerr // The operation's stand-in answers it.
			}
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
