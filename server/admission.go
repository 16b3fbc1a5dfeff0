package server

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	"github.com/strongroom-kms/strongroom/server/authn"
)

// Bounds that are not configurable; see docs/limits.md.
const (
	// maxFollowing is how many streams of the operator service are open at the
	// same time. They last for hours, so requests have places of their own.
	maxFollowing = 64
	// maxRefusing is how many refusals are being recorded at the same time, three
	// quarters of them for the same principal. Beyond it requests are refused without an event.
	maxRefusing = 2048
)

// admission decides, when the headers of a request are there and nothing of its
// message has been read, whether it may come in.
type admission struct {
	requests       *pool
	following      *pool
	infrastructure *pool // health and reflection
	refusals       *pool

	streaming map[string]bool // the full names of streaming methods
	errs      *errorTranslator
	overload  *overload
	observer  keystore.Observer // nil: nobody watches
	drain     *drain
	message   time.Duration // how long a stream's may take to come
	patience  time.Duration
}

func newAdmission(c Config, errs *errorTranslator, o *overload, d *drain) *admission {
	return &admission{
		requests:       newPool(c.MaxInFlight, "requests", "limits.max_in_flight"),
		following:      newPool(maxFollowing, "streams of the operator service", "not configurable"),
		infrastructure: newPool(c.MaxConnections, "requests for health and reflection", "limits.max_connections"),
		refusals:       newPool(maxRefusing, "refusals being recorded", "not configurable"),
		streaming:      map[string]bool{}, errs: errs, overload: o, observer: c.Observer, drain: d,
		message: c.DefaultDeadline, patience: c.patience,
	}
}

// learn tells the streaming methods of the services from the others. It is
// called before the first request.
func (a *admission) learn(services map[string]grpc.ServiceInfo) {
	for name, service := range services {
		for _, m := range service.Methods {
			a.streaming["/"+name+"/"+m.Name] = m.IsClientStream || m.IsServerStream
		}
	}
}

func (a *admission) poolOf(method string) *pool {
	switch {
	case isInfrastructure(method):
		return a.infrastructure
	case a.streaming[method]:
		return a.following
	default:
		return a.requests
	}
}

// place is what a request holds until it has been answered.
type place struct {
	pool      *pool
	principal string
}

func (p place) leave() { p.pool.leave(p.principal) }

// enter finds a place for a request. A request for which there is none gets one
// among the refusals, and its arrival the error to record and to answer. An
// error of enter itself is answered at once, without an event.
func (a *admission) enter(ctx context.Context, method string) (place, error) {
	principal, certified := authn.Principal(ctx)
	if !certified {
		a.observe(method, keystore.FrontEndGRPC, annotationsv1.ErrorKind_ERROR_KIND_MISSING_AUTHENTICATION_TOKEN)
		return place{}, a.refuse(annotationsv1.ErrorKind_ERROR_KIND_MISSING_AUTHENTICATION_TOKEN,
			"The connection has no client certificate from an authority that this server accepts; the authorities are those of tls.client_ca in its configuration.")
	}
	p, refusal := a.take(principal, method)
	if p.pool == nil {
		a.observe(method, keystore.FrontEndGRPC, refusal.Kind)
		return p, a.refuse(refusal.Kind, refusal.Message)
	}
	if refusal != nil {
		arrivalOf(ctx).refusal = refusal
	}
	return p, nil
}

// take finds a place for a request of a principal. A request for which there is
// none gets one among the refusals, and the error to record and to answer; or no
// place at all, and the error to answer without an event.
func (a *admission) take(principal, method string) (place, *keystore.Error) {
	p := a.poolOf(method)
	why := p.enter(principal)
	if why == "" {
		return place{p, principal}, nil
	}
	refusal := &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_THROTTLING, Message: why}
	if p == a.infrastructure || a.refusals.enter(principal) != "" {
		a.overload.unrecorded.Add(1)
		return place{}, refusal
	}
	a.overload.recorded.Add(1)
	return place{a.refusals, principal}, refusal
}

// refuse makes the answer of a request that leaves no event, and so has no
// request id.
func (a *admission) refuse(kind keystore.Kind, message string) error {
	return a.errs.rules[kind].status(message, "").Err()
}

// unary puts admission before a method's handler, which reads the message.
func (a *admission) unary(method string, handler grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
		p, err := a.enter(ctx, method)
		if err != nil {
			return nil, err
		}
		defer p.leave()
		return handler(srv, ctx, decode, chain)
	}
}

// stream is the outermost interceptor of streams, and of unknown methods.
func (a *admission) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	p, err := a.enter(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer p.leave()
	timed := newTimedStream(ss, a.message, a.patience)
	defer timed.close()
	defer a.drain.ends(timed, info.FullMethod)()
	return next(srv, timed)
}
