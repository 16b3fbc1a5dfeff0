package authn

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/strongroom-kms/strongroom/keystore"
)

// RegionHeader is the header in which a request says which Region it means.
const RegionHeader = "strongroom-region"

// Unary puts the keystore.Caller of each unary request into its context, with
// a new request id.
func Unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	return next(keystore.NewContext(ctx, callerOf(ctx)), req)
}

// Stream is Unary for streams.
func Stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx := ss.Context()
	return next(srv, &stream{ServerStream: ss, ctx: keystore.NewContext(ctx, callerOf(ctx))})
}

type stream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context is part of grpc.ServerStream.
func (s *stream) Context() context.Context { return s.ctx }

// callerOf joins what the connection has proved with what the request says of
// itself. A request of an unknown sort of connection gets a caller too, one
// without credential and principal.
func callerOf(ctx context.Context) keystore.Caller {
	var c keystore.Caller
	if p, ok := peer.FromContext(ctx); ok {
		if conn, ok := p.AuthInfo.(*connection); ok {
			c = conn.current(time.Now())
			c.TLS = withHost(ctx, c.TLS)
		}
	}
	c.RequestID = uuid.NewString()
	c.UserAgent = header(ctx, "user-agent")
	c.Region = header(ctx, RegionHeader)
	return c
}

// current returns the caller that the connection proves now. Where the principal
// is nobody's the credential stays, so that the event of the refusal names it.
func (c *connection) current(now time.Time) keystore.Caller {
	caller := c.caller
	caller.Principal = c.principal(now)
	return caller
}

// principal is the principal that the connection proves now: once its
// certificate has expired, none.
func (c *connection) principal(now time.Time) string {
	if c.principals == nil || now.After(c.expires) {
		return ""
	}
	return c.principals(c.uris, c.dns)
}

// withHost returns a copy because the requests of a connection share t.
func withHost(ctx context.Context, t *keystore.TLS) *keystore.TLS {
	u := *t
	u.Host = Host(header(ctx, ":authority"))
	return &u
}

func header(ctx context.Context, name string) string {
	if v := metadata.ValueFromIncomingContext(ctx, name); len(v) > 0 {
		return v[0]
	}
	return ""
}
