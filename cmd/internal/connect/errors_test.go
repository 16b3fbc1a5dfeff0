package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// answered is an error as the server makes it.
func answered(t *testing.T, metadata map[string]string) error {
	t.Helper()
	s, err := status.New(codes.NotFound, "Key 'k' does not exist").WithDetails(&errdetails.ErrorInfo{
		Reason: "NotFoundException", Domain: "kms.amazonaws.com", Metadata: metadata,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

func TestErrorsAreOneLineWithAWSsName(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"answered", answered(t, map[string]string{"request_id": "r-1"}), "NotFoundException: Key 'k' does not exist (request id r-1)"},
		{"answered without request id", answered(t, nil), "NotFoundException: Key 'k' does not exist"},
		{"not reached", status.Error(codes.Unavailable, "connection refused"), "cannot reach the server: connection refused"},
		{"too late", status.Error(codes.DeadlineExceeded, "context deadline exceeded"), "no answer within --timeout"},
		{"interrupted", status.Error(codes.Canceled, "context canceled"), "interrupted"},
		{"another kind of server", status.Error(codes.Unimplemented, "unknown service"), "Unimplemented: unknown service"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := translate(tc.err)
			var e *Error
			if !errors.As(got, &e) || got.Error() != tc.want || e.Code != status.Code(tc.err) {
				t.Errorf("got %#v, want %q", got, tc.want)
			}
		})
	}
}

func TestOtherErrorsStayAsTheyAre(t *testing.T) {
	for _, err := range []error{nil, io.EOF, errors.New("disk full")} {
		if got := translate(err); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestInterrupted(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"by the context", context.Canceled, true},
		{"during a call", translate(status.Error(codes.Canceled, "context canceled")), true},
		{"within another error", fmt.Errorf("sealing: %w", translate(status.Error(codes.Canceled, ""))), true},
		{"the server says that it was", &Error{Name: "RequestAbortedException", Code: codes.Canceled}, false},
		{"timeout", translate(status.Error(codes.DeadlineExceeded, "")), false},
		{"success", nil, false},
	}
	for _, tc := range tests {
		if got := Interrupted(tc.err); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}
