package server

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
)

// TraceHeader is the header that says which trace a request is part of: the one of W3C's
// Trace Context. Its other header, tracestate, is text of the client's and goes nowhere.
const TraceHeader = "traceparent"

// tracing makes the front ends' spans, of callers who have proved who they are. The zero
// value makes none.
type tracing struct{ tracer trace.Tracer }

func newTracing(p trace.TracerProvider) tracing {
	if p == nil {
		return tracing{}
	}
	return tracing{p.Tracer("github.com/strongroom-kms/strongroom/server")}
}

// start begins the span of a request, in the trace that its client names, if it does.
func (t tracing) start(ctx context.Context, method, parent string) (context.Context, trace.Span) {
	if parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{TraceHeader: parent})
	}
	caller, _ := keystore.CallerFrom(ctx)
	ctx, span := t.tracer.Start(ctx, strings.TrimPrefix(method, "/"), trace.WithSpanKind(trace.SpanKindServer))
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("strongroom.front_end", caller.FrontEnd),
			attribute.String("aws.request_id", caller.RequestID),
			attribute.String("client.address", caller.SourceIP),
		)
	}
	return ctx, span
}

// failed marks the span of a request that is answered with an error.
func failed(s trace.Span, name string) {
	s.SetAttributes(attribute.String("error.type", name))
	s.SetStatus(codes.Error, name)
}

// unary is the interceptor of gRPC requests, inside of which statuses are made.
func (t tracing) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if isInfrastructure(info.FullMethod) {
		return next(ctx, req)
	}
	parent := ""
	if values := metadata.ValueFromIncomingContext(ctx, TraceHeader); len(values) == 1 {
		parent = values[0]
	}
	ctx, span := t.start(ctx, info.FullMethod, parent)
	defer span.End()
	answer, err := next(ctx, req)
	if code := status.Code(err); code != grpccodes.OK {
		failed(span, code.String())
	}
	return answer, err
}

// invoked does a request in process, in a span.
func (t tracing) invoked(ctx context.Context, r Request, do func(context.Context, Request) *keystore.Error) *keystore.Error {
	if t.tracer == nil {
		return do(ctx, r)
	}
	ctx, span := t.start(ctx, r.Method, r.TraceParent)
	defer span.End()
	err := do(ctx, r)
	if err != nil {
		failed(span, describe.ErrorOf(err.Kind).Name)
	}
	return err
}
