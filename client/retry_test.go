package client

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const (
	encrypt   = kmsv1.KeyManagementService_Encrypt_FullMethodName
	createKey = kmsv1.KeyManagementService_CreateKey_FullMethodName
)

// attempts makes a call that always fails and returns how often it was tried,
// and how long that took.
func attempts(ctx context.Context, most int, method string, err error) (int, time.Duration) {
	n, began := 0, time.Now()
	_ = newRetrier(most).unary(ctx, method, nil, nil, nil,
		func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			n++
			return words.translate(ctx, err)
		})
	return n, time.Since(began)
}

func TestWhatIsRepeated(t *testing.T) {
	unreachable := status.Error(codes.Unavailable, "connection refused")
	hint := func(d time.Duration) *errdetails.RetryInfo {
		return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
	}
	throttling := named("ThrottlingException", nil)
	const once, again = 1, 1 + DefaultRetries
	tests := []struct {
		name   string
		method string
		err    error
		want   int
	}{
		{"no answer, and nothing changes", encrypt, unreachable, again},
		{"no answer, and a key may have been made", createKey, unreachable, once},
		{"the server says that nothing was changed", createKey, answered(t, codes.Unavailable, named("KeyUnavailableException", nil)), again},
		{"too much to do, come again", createKey, answered(t, codes.ResourceExhausted, throttling, hint(time.Second)), again},
		{"too much to do, come again much later", encrypt, answered(t, codes.ResourceExhausted, throttling, hint(time.Minute)), once},
		{"too much", encrypt, answered(t, codes.ResourceExhausted, named("LimitExceededException", nil)), once},
		{"a mistake", encrypt, answered(t, codes.InvalidArgument, named("ValidationException", nil), hint(time.Second)), once},
		{"internal error", encrypt, answered(t, codes.Internal, named("KMSInternalException", nil)), once},
		{"too late", encrypt, status.Error(codes.DeadlineExceeded, ""), once},
		{"certificate refused", encrypt, status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: remote error: tls: expired certificate"`), once},
		{"another server", encrypt, status.Error(codes.Unavailable, "transport: authentication handshake failed: x509"), once},
		{"no method of ours", "/a.b/C", unreachable, once},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got, _ := attempts(t.Context(), 0, tc.method, tc.err); got != tc.want {
					t.Errorf("%d attempts, want %d", got, tc.want)
				}
			})
		})
	}
}

func TestHowOftenAndHowLong(t *testing.T) {
	unreachable := status.Error(codes.Unavailable, "connection refused")
	busy := answered(t, codes.ResourceExhausted, named("ThrottlingException", nil), &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	tests := []struct {
		name              string
		most              int
		err               error
		within            time.Duration // of the context
		want              int
		shortest, longest time.Duration
	}{
		{"growing pauses", 0, unreachable, time.Hour, 5, 1125 * time.Millisecond, 2250 * time.Millisecond},
		{"as asked, or a little later", 2, busy, time.Hour, 3, 2 * time.Second, 3 * time.Second},
		{"never", -1, unreachable, time.Hour, 1, 0, 0},
		{"not when the context will have ended", 0, busy, 900 * time.Millisecond, 1, 0, 0},
		{"as often as the context leaves time for", 9, busy, 1600 * time.Millisecond, 2, time.Second, 1500 * time.Millisecond},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tc.within)
				defer cancel()
				n, took := attempts(ctx, tc.most, encrypt, tc.err)
				if n != tc.want || took < tc.shortest || took > tc.longest {
					t.Errorf("%d attempts in %v, want %d in %v to %v", n, took, tc.want, tc.shortest, tc.longest)
				}
			})
		})
	}
}

func TestACanceledContextEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if n, took := attempts(ctx, 0, encrypt, status.Error(codes.Unavailable, "")); n != 1 || took != 10*time.Millisecond {
			t.Errorf("%d attempts in %v, want one in 10ms", n, took)
		}
	})
}
