package connect

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
)

// words are those of a client with this certificate and timeout.
var words = wording{clientCert: "alice.pem", timeout: 90 * time.Second}

const refused = "the server refused the client certificate alice.pem: it must be valid now and issued by an authority of the server's tls.client_ca"

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
		{"certificate refused", status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: remote error: tls: unknown certificate authority"`), refused},
		{"certificate expired", status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: remote error: tls: expired certificate"`), refused},
		{"certificate refused, its alert lost", status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: write tcp 127.0.0.1:1->127.0.0.1:2: write: broken pipe"`), refused},
		{"server's certificate is bad", status.Error(codes.Unavailable, `transport: authentication handshake failed: tls: failed to verify certificate`), "cannot reach the server: transport: authentication handshake failed: tls: failed to verify certificate"},
		{"too late", status.Error(codes.DeadlineExceeded, "context deadline exceeded"), "no answer within 1m30s (--timeout)"},
		{"interrupted", status.Error(codes.Canceled, "context canceled"), "interrupted"},
		{"another kind of server", status.Error(codes.Unimplemented, "unknown service"), "Unimplemented: unknown service"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := words.translate(tc.err)
			var e *Error
			if !errors.As(got, &e) || got.Error() != tc.want || e.Code != status.Code(tc.err) {
				t.Errorf("got %#v, want %q", got, tc.want)
			}
		})
	}
}

func TestOtherErrorsStayAsTheyAre(t *testing.T) {
	for _, err := range []error{nil, io.EOF, errors.New("disk full")} {
		if got := words.translate(err); !errors.Is(got, err) {
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
		{"during a call", words.translate(status.Error(codes.Canceled, "context canceled")), true},
		{"within another error", fmt.Errorf("sealing: %w", words.translate(status.Error(codes.Canceled, ""))), true},
		{"the server says that it was", &Error{Name: "RequestAbortedException", Code: codes.Canceled}, false},
		{"timeout", words.translate(status.Error(codes.DeadlineExceeded, "")), false},
		{"success", nil, false},
	}
	for _, tc := range tests {
		if got := Interrupted(tc.err); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}
