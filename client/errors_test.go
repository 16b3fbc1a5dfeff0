package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// words are those of a client with this certificate.
var words = wording{clientCert: "alice.pem"}

const refused = "the server refused the client certificate alice.pem: it must be valid now and issued by an authority of the server's tls.client_ca"

// answered is an error as the server makes it.
func answered(t *testing.T, code codes.Code, details ...protoadapt.MessageV1) error {
	t.Helper()
	s, err := status.New(code, "Key 'k' does not exist").WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

// named is the detail that gives an error its name and request id.
func named(name string, metadata map[string]string) *errdetails.ErrorInfo {
	return &errdetails.ErrorInfo{Reason: name, Domain: "kms.amazonaws.com", Metadata: metadata}
}

func TestErrorsAreOneLineWithAWSsName(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"answered", answered(t, codes.NotFound, named("NotFoundException", map[string]string{"request_id": "r-1"})), "NotFoundException: Key 'k' does not exist (request id r-1)"},
		{"answered without request id", answered(t, codes.NotFound, named("NotFoundException", nil)), "NotFoundException: Key 'k' does not exist"},
		{"not reached", status.Error(codes.Unavailable, "connection refused"), "cannot reach the server: connection refused"},
		{"certificate refused", status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: remote error: tls: unknown certificate authority"`), refused},
		{"certificate expired", status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: remote error: tls: expired certificate"`), refused},
		{"certificate refused, its alert lost", status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: write tcp 127.0.0.1:1->127.0.0.1:2: write: broken pipe"`), refused},
		{"certificate refused before we wrote", status.Error(codes.Unavailable, `connection error: desc = "transport: failed to write client preface: write tcp 127.0.0.1:1->127.0.0.1:2: write: connection reset by peer"`), refused},
		{"lost before the answer", status.Error(codes.Unavailable, "error reading from server: EOF"), "the connection was lost before an answer came, and the request may have been done: error reading from server: EOF"},
		{"closed in the handshake", status.Error(codes.Unavailable, `transport: authentication handshake failed: write tcp 127.0.0.1:1->127.0.0.1:2: write: broken pipe`), "cannot reach the server: transport: authentication handshake failed: write tcp 127.0.0.1:1->127.0.0.1:2: write: broken pipe"},
		{"server's certificate is bad", status.Error(codes.Unavailable, `transport: authentication handshake failed: tls: failed to verify certificate`), "cannot reach the server: transport: authentication handshake failed: tls: failed to verify certificate"},
		{"too late", status.Error(codes.DeadlineExceeded, "context deadline exceeded"), "no answer: context deadline exceeded"},
		{"interrupted", status.Error(codes.Canceled, "context canceled"), "no answer: context canceled"},
		{"answered by somebody else", answered(t, codes.Unavailable, &errdetails.ErrorInfo{Reason: "UPSTREAM", Domain: "proxy.example", Metadata: map[string]string{"request_id": "r-1"}}), "cannot reach the server: Key 'k' does not exist"},
		{"another kind of server", status.Error(codes.Unimplemented, "unknown service"), "Unimplemented: unknown service"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := words.translate(t.Context(), tc.err)
			e, ok := errors.AsType[*Error](got)
			if !ok || got.Error() != tc.want {
				t.Errorf("got %#v, want %q", got, tc.want)
			}
			if e.Code != status.Code(tc.err) || status.Code(got) != e.Code || len(status.Convert(got).Details()) != len(status.Convert(tc.err).Details()) {
				t.Errorf("gRPC's status is lost: %v", status.Convert(got))
			}
		})
	}
}

// A context that was ended with a cause is told by it.
func TestTheCauseOfTheContextsEndIsTheMessage(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), -1, errors.New("no answer within 3s"))
	defer cancel()
	if got := words.translate(ctx, status.FromContextError(ctx.Err()).Err()); got.Error() != "no answer within 3s" {
		t.Errorf("got %q", got)
	}
}

func TestOtherErrorsStayAsTheyAre(t *testing.T) {
	for _, err := range []error{nil, io.EOF, errors.New("disk full")} {
		if got := words.translate(t.Context(), err); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestAnErrorOfACallersTestHasItsCode(t *testing.T) {
	if got := status.Code(&Error{Name: "NotFoundException", Code: codes.NotFound}); got != codes.NotFound {
		t.Errorf("got %v", got)
	}
}

func TestTheEndOfTheContextIsKnownToErrorsIs(t *testing.T) {
	tests := []struct {
		name              string
		err               error
		canceled, overdue bool
	}{
		{"canceled", status.Error(codes.Canceled, "context canceled"), true, false},
		{"too late", status.Error(codes.DeadlineExceeded, "context deadline exceeded"), false, true},
		{"the HSM is too late", answered(t, codes.DeadlineExceeded, named("DependencyTimeoutException", nil)), false, false},
		{"not reached", status.Error(codes.Unavailable, "connection refused"), false, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			err := fmt.Errorf("sealing: %w", words.translate(t.Context(), tc.err))
			if got := errors.Is(err, context.Canceled); got != tc.canceled {
				t.Errorf("canceled: %t", got)
			}
			if got := errors.Is(err, context.DeadlineExceeded); got != tc.overdue {
				t.Errorf("deadline exceeded: %t", got)
			}
		})
	}
}

// AsError knows errors of this package and of connections of others, wrapped or
// not.
func TestAsError(t *testing.T) {
	foreign := answered(t, codes.ResourceExhausted, named("ThrottlingException", map[string]string{"request_id": "r-1"}),
		&errdetails.RetryInfo{RetryDelay: durationpb.New(2 * time.Second)})
	for _, err := range []error{foreign, fmt.Errorf("sealing: %w", foreign), words.translate(t.Context(), foreign), fmt.Errorf("sealing: %w", words.translate(t.Context(), foreign))} {
		e, ok := AsError(err)
		if !ok || e.Name != "ThrottlingException" || e.RequestID != "r-1" || e.Code != codes.ResourceExhausted || e.RetryAfter != 2*time.Second {
			t.Errorf("%v: got %+v", err, e)
		}
	}
	for _, err := range []error{nil, io.EOF, context.Canceled} {
		if e, ok := AsError(err); ok {
			t.Errorf("%v is taken for a call's: %+v", err, e)
		}
	}
}
