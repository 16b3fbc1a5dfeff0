package keystore

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// tracerName says whose spans these are.
const tracerName = "github.com/strongroom-kms/strongroom/keystore"

// spans are the spans of a request whose front end has one that is recorded: the
// operation, and below it what it waited for. Nil: it is not traced. They hold what the
// API event holds of the request, and nothing that is secret.
type spans struct {
	tracer    trace.Tracer
	operation trace.Span
	ctx       context.Context // of the operation's span
}

// startSpans begins the operation's span, if the request is traced, and returns the context
// that has it.
func (r *request) startSpans(ctx context.Context) context.Context {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx
	}
	tracer := parent.TracerProvider().Tracer(tracerName)
	ctx, operation := tracer.Start(ctx, r.method.Name, trace.WithTimestamp(r.began), trace.WithAttributes(
		attribute.String("aws.request_id", r.caller.RequestID),
		attribute.String("cloud.region", r.k.scope.region),
		attribute.String("rpc.method", r.method.Name),
		attribute.String("user.id", r.caller.Principal),
	))
	r.spans = &spans{tracer: tracer, operation: operation, ctx: ctx}
	r.proof.spans = r.spans
	return ctx
}

// end ends the operation's span; failure is the name of the error that is answered.
func (s *spans) end(r *request, failure string) {
	if s == nil {
		return
	}
	for _, t := range r.targets {
		if t.key != nil {
			s.operation.SetAttributes(attribute.String("aws.kms.key_arn", t.key.arn))
			break
		}
	}
	if store := r.store(); store != "" {
		s.operation.SetAttributes(attribute.String("aws.kms.custom_key_store_id", store))
	}
	if failure != "" {
		s.operation.SetAttributes(attribute.String("error.type", failure))
		s.operation.SetStatus(codes.Error, failure)
	}
	s.operation.End()
}

// hsm adds a request to an HSM that has just ended: the wait for a place, and the C_
// function that the worker called last.
func (s *spans) hsm(t hsmpool.Trace, err error) {
	if s == nil {
		return
	}
	end := time.Now()
	asked := end.Add(-t.Took)
	begin := asked.Add(-t.Waited)
	code := ckr.RV(t.RV).String()
	ctx, request := s.tracer.Start(s.ctx, "HSM", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(begin), trace.WithAttributes(
		attribute.String("strongroom.hsm_id", t.HSM),
		attribute.String("pkcs11.function", t.Function),
		attribute.String("pkcs11.return_code", code),
		attribute.Float64("strongroom.waited_seconds", t.Waited.Seconds()),
		attribute.Float64("strongroom.took_seconds", t.Took.Seconds()),
	))
	if t.Waited > 0 {
		_, queue := s.tracer.Start(ctx, "queue", trace.WithTimestamp(begin))
		queue.End(trace.WithTimestamp(asked))
	}
	if t.Function != "" {
		_, call := s.tracer.Start(ctx, t.Function, trace.WithTimestamp(asked), trace.WithAttributes(attribute.String("pkcs11.return_code", code)))
		fail(call, err, code)
		call.End(trace.WithTimestamp(end))
	}
	fail(request, err, code)
	request.End(trace.WithTimestamp(end))
}

// fail marks the span of a failed request to an HSM.
func fail(s trace.Span, err error, code string) {
	if err != nil {
		s.SetStatus(codes.Error, code)
	}
}

// journal adds the wait for a record, an intent or an event, to be durable.
func (s *spans) journal(record string, began time.Time, took time.Duration) {
	if s == nil {
		return
	}
	_, wait := s.tracer.Start(s.ctx, "journal", trace.WithTimestamp(began), trace.WithAttributes(attribute.String("strongroom.record", record)))
	wait.End(trace.WithTimestamp(began.Add(took)))
}
