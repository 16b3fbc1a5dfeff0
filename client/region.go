package client

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// regionHeader is the header in which a request says which Region it means.
const regionHeader = "strongroom-region"

// WithRegion returns a context whose calls mean a Region, such as "eu-west-1",
// rather than that of Config. A Region that the server does not have fails them
// with ValidationException.
func WithRegion(ctx context.Context, region string) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	md = md.Copy()
	if md == nil {
		md = metadata.MD{}
	}
	md.Set(regionHeader, region)
	return metadata.NewOutgoingContext(ctx, md)
}

// regional gives calls the Region of the client, where their context has none.
type regional struct{ region string }

func (r regional) of(ctx context.Context) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	if r.region == "" || len(md.Get(regionHeader)) > 0 {
		return ctx
	}
	return WithRegion(ctx, r.region)
}

func (r regional) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(r.of(ctx), method, req, reply, cc, opts...)
}

func (r regional) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return open(r.of(ctx), desc, cc, method, opts...)
}
