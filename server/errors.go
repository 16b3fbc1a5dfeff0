package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// errorDomain is the domain of the google.rpc.ErrorInfo in each error's
// details; its reason is the exception's name in the AWS protocol.
const errorDomain = "kms.amazonaws.com"

// errorTranslator turns the keystore's errors into gRPC statuses.
type errorTranslator struct {
	rules  map[keystore.Kind]statusRule
	logger hclog.Logger
}

// statusRule is what gRPC answers for a kind of error.
type statusRule struct {
	describe.ErrorRule
	code codes.Code
	// later says that the caller is told when to try again.
	later bool
}

// newErrorTranslator joins each kind's rule in the proto with its code.
func newErrorTranslator(logger hclog.Logger) *errorTranslator {
	t := &errorTranslator{rules: map[keystore.Kind]statusRule{}, logger: logger}
	for kind, code := range kindCodes() {
		t.rules[kind] = statusRule{
			ErrorRule: describe.ErrorOf(kind), code: code,
			later: kind == annotationsv1.ErrorKind_ERROR_KIND_THROTTLING,
		}
	}
	return t
}

// unary answers the errors of unary requests with statuses.
func (t *errorTranslator) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	resp, err := next(ctx, req)
	if err != nil {
		return nil, t.translate(ctx, info.FullMethod, err)
	}
	return resp, nil
}

// stream answers the errors of streams with statuses.
func (t *errorTranslator) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := next(srv, ss); err != nil {
		return t.translate(ss.Context(), info.FullMethod, err)
	}
	return nil
}

// translate makes the status of an error, and logs the error with its cause
// when the fault is the server's.
func (t *errorTranslator) translate(ctx context.Context, method string, err error) error {
	draining := errors.Is(context.Cause(ctx), errDraining)
	if _, ok := status.FromError(err); ok && isInfrastructure(method) && !draining {
		return err
	}
	e := t.explain(ctx, method, err)
	caller, _ := keystore.CallerFrom(ctx)
	return t.rules[e.Kind].status(e.Message, caller.RequestID).Err()
}

// explain makes of any error the one that the caller hears, and logs it with its
// cause when the fault is the server's.
func (t *errorTranslator) explain(ctx context.Context, method string, err error) *keystore.Error {
	e := asError(ctx, err)
	rule, ok := t.rules[e.Kind]
	if !ok {
		e = keystore.AsError(errors.New("error of unknown kind: " + err.Error()))
		rule = t.rules[e.Kind]
	}
	if rule.ServerFault && !errors.Is(context.Cause(ctx), errDraining) {
		caller, _ := keystore.CallerFrom(ctx)
		t.logger.Log(levelOf(e.Kind), "request failed", "method", method, "request_id", caller.RequestID, "error", err)
	}
	return e
}

// levelOf is how loud a fault of the server is. What fails every request, such
// as a full disk or an HSM that is away, would fill the log: health says once what it is,
// and of an HSM that does not answer so does the log, when its worker is replaced.
func levelOf(kind keystore.Kind) hclog.Level {
	switch kind {
	case annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE, annotationsv1.ErrorKind_ERROR_KIND_KEY_UNAVAILABLE,
		annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT:
		return hclog.Debug
	default:
		return hclog.Error
	}
}

// asError is keystore.AsError that also knows how a request ends from outside:
// a stream's own Send fails when its client is gone.
func asError(ctx context.Context, err error) *keystore.Error {
	if e, ok := errors.AsType[*keystore.Error](err); ok {
		return e
	}
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return keystore.AsError(err)
	case errors.Is(cause, errDraining):
		return &keystore.Error{
			Kind:    annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE,
			Message: "The server is shutting down.",
			Err:     err,
		}
	case errors.Is(cause, context.DeadlineExceeded):
		return &keystore.Error{
			Kind:    annotationsv1.ErrorKind_ERROR_KIND_REQUEST_TIMEOUT,
			Message: "The request's deadline passed before it was answered.",
			Err:     err,
		}
	default:
		return &keystore.Error{
			Kind:    annotationsv1.ErrorKind_ERROR_KIND_REQUEST_ABORTED,
			Message: "The request was cancelled by its client.",
			Err:     err,
		}
	}
}

func (r statusRule) status(message, requestID string) *status.Status {
	s := status.New(r.code, message)
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason:   r.Name,
		Domain:   errorDomain,
		Metadata: map[string]string{"request_id": requestID},
	}}
	if r.later {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(retryDelay())})
	}
	detailed, err := s.WithDetails(details...)
	if err != nil { // A message that is not UTF-8; the code alone has to do.
		return s
	}
	return detailed
}

// retryDelay is what a throttled caller is asked to wait, 0.2 to 1 s: longer
// than what is in flight takes, and different for each, so that those who were
// refused together do not come back together.
func retryDelay() time.Duration {
	return 200*time.Millisecond + rand.N(800*time.Millisecond)
}

// isInfrastructure tells gRPC's own services, health and reflection, from
// ours. Their errors are statuses already and their requests leave no events.
func isInfrastructure(method string) bool {
	return strings.HasPrefix(method, "/grpc.")
}
