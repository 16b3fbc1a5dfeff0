package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const (
	kindNotFound    = annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND
	kindUnavailable = annotationsv1.ErrorKind_ERROR_KIND_KEY_UNAVAILABLE
	anyMethod       = "/strongroom.kms.v1.KeyManagementService/Encrypt"
)

func newTranslator(t *testing.T) (*errorTranslator, *lockedBuffer) {
	t.Helper()
	log := &lockedBuffer{}
	return newErrorTranslator(hclog.New(&hclog.LoggerOptions{Output: log})), log
}

func TestEveryKindHasAStatus(t *testing.T) {
	tr, log := newTranslator(t)
	ctx := keystore.NewContext(t.Context(), keystore.Caller{RequestID: "request-1"})
	kinds := annotationsv1.ErrorKind(0).Descriptor().Values()
	for i := range kinds.Len() {
		kind := keystore.Kind(kinds.Get(i).Number())
		if kind == annotationsv1.ErrorKind_ERROR_KIND_UNSPECIFIED {
			continue
		}
		rule := describe.ErrorOf(kind)
		cause := fmt.Errorf("cause <%v>", kind)
		got := tr.translate(ctx, anyMethod, &keystore.Error{Kind: kind, Message: "for the caller", Err: cause})

		code := status.Code(got)
		wantError(t, got, code, rule.Name)
		if code == codes.OK || code == codes.Unknown {
			t.Errorf("%v has code %v", kind, code)
		}
		if m := status.Convert(got).Message(); m != "for the caller" {
			t.Errorf("%v: message %q", kind, m)
		}
		if id := errorInfo(got).GetMetadata()["request_id"]; id != "request-1" {
			t.Errorf("%v: request id %q", kind, id)
		}
		throttled := kind == annotationsv1.ErrorKind_ERROR_KIND_THROTTLING
		if wait := retryDelayOf(got); (wait > 0) != throttled || throttled && code != codes.ResourceExhausted || wait > time.Second {
			t.Errorf("%v (%v) says to come again after %v", kind, code, wait)
		}
		if code == codes.Unavailable && !rule.Retryable {
			t.Errorf("%v is Unavailable, which clients repeat, but not retryable", kind)
		}
		// What fails every request is in the log once, from health.
		loud := rule.ServerFault && kind != annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE && kind != kindUnavailable &&
			kind != annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT
		if logged := strings.Contains(log.String(), cause.Error()); logged != loud {
			t.Errorf("%v: cause logged: %t, want %t", kind, logged, loud)
		}
	}
}

// retryDelayOf is when an error says to come again; 0 if it does not.
func retryDelayOf(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

func TestErrorsThatAreNotTheKeystores(t *testing.T) {
	ended := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		return ctx
	}
	secret := errors.New("disk of 10.0.0.1 is full")
	for name, test := range map[string]struct {
		ctx    context.Context
		method string
		err    error
		code   codes.Code
		reason string
	}{
		"foreign":           {t.Context(), anyMethod, secret, codes.Internal, "InternalFailure"},
		"foreign status":    {t.Context(), anyMethod, status.Error(codes.NotFound, "x"), codes.Internal, "InternalFailure"},
		"unknown kind":      {t.Context(), anyMethod, &keystore.Error{Kind: 9999}, codes.Internal, "InternalFailure"},
		"wrapped":           {t.Context(), anyMethod, fmt.Errorf("x: %w", &keystore.Error{Kind: kindNotFound}), codes.NotFound, "NotFoundException"},
		"client gone":       {ended(nil), anyMethod, secret, codes.Canceled, "RequestAbortedException"},
		"deadline passed":   {ended(context.DeadlineExceeded), anyMethod, secret, codes.DeadlineExceeded, "RequestTimeoutException"},
		"draining":          {ended(errDraining), anyMethod, secret, codes.Unavailable, "ServiceUnavailableException"},
		"keystore's, ended": {ended(nil), anyMethod, &keystore.Error{Kind: kindUnavailable}, codes.Unavailable, "KeyUnavailableException"},
	} {
		t.Run(name, func(t *testing.T) {
			tr, _ := newTranslator(t)
			got := tr.translate(test.ctx, test.method, test.err)
			wantError(t, got, test.code, test.reason)
			if strings.Contains(got.Error(), "10.0.0.1") {
				t.Errorf("the caller sees the cause: %v", got)
			}
		})
	}
}

func TestStatusesOfHealthAndReflectionPass(t *testing.T) {
	tr, _ := newTranslator(t)
	want := status.Error(codes.NotFound, "unknown service")
	if got := tr.translate(t.Context(), "/grpc.health.v1.Health/Check", want); !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestErrorsReachTheClientWithTheirRequestID(t *testing.T) {
	h := newHarness(t)
	ids := make(chan string, 1)
	h.kms.describeKey = func(ctx context.Context, _ *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
		caller, _ := keystore.CallerFrom(ctx)
		ids <- caller.RequestID
		return nil, &keystore.Error{Kind: kindNotFound, Message: "Key 'x' does not exist"}
	}
	_, err := h.start().client().DescribeKey(h.context(), &kmsv1.DescribeKeyRequest{})
	wantError(t, err, codes.NotFound, "NotFoundException")
	if got, want := errorInfo(err).GetMetadata()["request_id"], <-ids; got != want {
		t.Errorf("request id %q, want %q", got, want)
	}
}
