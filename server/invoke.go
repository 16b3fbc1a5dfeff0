package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// Request is a request that has come over another protocol than gRPC, of a caller
// who has proved who it is.
type Request struct {
	// Method is gRPC's full name of a method of a Region's services, or of the operator's.
	Method string
	// TraceParent is the request's TraceHeader; empty: it has none.
	TraceParent string
	// Decode reads the request's message. It fails with a *keystore.Error.
	Decode func(proto.Message) error
	// Answer takes the answer, whose secrets are overwritten when it returns.
	Answer func(proto.Message)
}

// Invoke does a request as if it had come over gRPC: with a place among those in
// flight, within DefaultDeadline, recorded and logged as those are. The context
// has the keystore.Caller; its Region is where the request is done.
func (s *Server) Invoke(ctx context.Context, r Request) *keystore.Error {
	return s.inProcess.tracing.invoked(ctx, r, s.inProcess.invoke)
}

// inProcess does requests without gRPC's transport.
type inProcess struct {
	methods  map[string]grpc.MethodHandler
	streams  map[string]grpc.StreamHandler
	operator operatorv1.OperatorServiceServer
	fallback Region            // for callers without a Region
	regions  map[string]Region // nil: there is the fallback only
	chain    grpc.UnaryServerInterceptor

	streamChain grpc.StreamServerInterceptor

	wiper     wiper
	tracing   tracing
	errs      *errorTranslator
	admission *admission
	rejecter  rejecter
	deadline  time.Duration
	logger    hclog.Logger
}

func newInProcess(c Config, errs *errorTranslator, a *admission) *inProcess {
	log, rec := requestLog{logger: c.Logger, redact: c.Redact}, recovery{reject: c.Reject, logger: c.Logger}
	p := &inProcess{
		streams: operatorStreams(), streamChain: chainedStreams(log.stream, rec.stream, rejecter{c.Reject}.refusing),
		methods: map[string]grpc.MethodHandler{}, operator: c.Operator, fallback: c.Default, regions: c.Regions,
		chain: chained(wiper(c.Wipe).unary, log.unary, rec.unary), wiper: c.Wipe, tracing: newTracing(c.Tracing),
		errs: errs, admission: a, rejecter: rejecter{c.Reject}, deadline: c.DefaultDeadline, logger: c.Logger,
	}
	for _, desc := range append(regionalServices(), &operatorv1.OperatorService_ServiceDesc) {
		for _, m := range desc.Methods {
			p.methods["/"+desc.ServiceName+"/"+m.MethodName] = p.rejecter.decoding(m.Handler)
		}
	}
	return p
}

// chained makes one interceptor of several, the first outermost.
func chained(all ...grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, operation grpc.UnaryHandler) (any, error) {
		for i := len(all) - 1; i >= 0; i-- {
			next, outer := operation, all[i]
			operation = func(ctx context.Context, req any) (any, error) { return outer(ctx, req, info, next) }
		}
		return operation(ctx, req)
	}
}

func (p *inProcess) invoke(ctx context.Context, r Request) *keystore.Error {
	ctx, cancel := context.WithTimeout(ctx, p.deadline)
	defer cancel()
	caller, _ := keystore.CallerFrom(ctx)
	at, refusal := p.admission.take(caller.Principal, r.Method)
	if at.pool == nil {
		p.admission.observe(r.Method, caller.FrontEnd, refusal.Kind)
		return refusal
	}
	defer at.leave()
	ctx = context.WithValue(ctx, arrivalKey{}, &arrival{end: func(error) { cancel() }, refusal: refusal})
	answer, err := p.do(ctx, caller.Region, r)
	if err != nil {
		return p.errs.explain(ctx, r.Method, err)
	}
	message, ok := answer.(proto.Message)
	if !ok {
		return keystore.AsError(fmt.Errorf("%s answered a %T", r.Method, answer))
	}
	defer p.wiper.wipe(message)
	r.Answer(message)
	return nil
}

// do hands a request to its operation.
func (p *inProcess) do(ctx context.Context, region string, r Request) (any, error) {
	handler, ok := p.methods[r.Method]
	if !ok {
		return nil, p.rejecter.reject(ctx, r.Method, &keystore.Error{
			Kind: annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION, Message: "Unknown operation: " + r.Method,
		})
	}
	service, ok := p.service(r.Method, region)
	if !ok {
		return nil, p.rejecter.reject(ctx, r.Method, &keystore.Error{
			Kind: annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, Message: fmt.Sprintf("This server does not have the Region %q.", region),
		})
	}
	decode := func(v any) error {
		in, ok := v.(*incoming)
		if !ok {
			return fmt.Errorf("%s decodes into a %T", r.Method, v)
		}
		message, ok := in.message.(proto.Message)
		if !ok {
			return fmt.Errorf("%s decodes into a %T", r.Method, in.message)
		}
		in.err = p.decode(ctx, r, message)
		return nil
	}
	return handler(service, ctx, decode, p.chain)
}

// service returns what does the requests to a method in a Region: operators' are of all
// Regions together.
func (p *inProcess) service(method, region string) (any, bool) {
	if isOperators(method) {
		return p.operator, true
	}
	if region == "" || p.regions == nil {
		return p.fallback, true
	}
	service, ok := p.regions[region]
	return service, ok
}

// isOperators tells the operator's methods from those of a Region.
func isOperators(method string) bool {
	return strings.HasPrefix(method, "/"+operatorv1.OperatorService_ServiceDesc.ServiceName+"/")
}

// decode reads a request's message, which no interceptor sees yet: what panics is
// recovered here.
func (p *inProcess) decode(ctx context.Context, r Request, into proto.Message) (err error) {
	defer func() {
		if v := recover(); v != nil {
			caller, _ := keystore.CallerFrom(ctx)
			err = keystore.AsError(keystore.LogPanic(p.logger, v, r.Method, caller.RequestID))
		}
	}()
	return r.Decode(into)
}
