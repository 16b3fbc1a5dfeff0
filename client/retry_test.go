package client

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const (
	encrypt   = kmsv1.KeyManagementService_Encrypt_FullMethodName
	createKey = kmsv1.KeyManagementService_CreateKey_FullMethodName
)

// attempts makes a call that always fails after it has been sent, and returns how
// often it was tried, and how long that took.
func attempts(ctx context.Context, most int, method string, err error) (int, time.Duration) {
	return attemptsWith(ctx, newRetrier(most), method, err, &stats.OutHeader{})
}

// attemptsWith is attempts of a call of whose sending gRPC says this.
func attemptsWith(ctx context.Context, r retrier, method string, err error, said ...stats.RPCStats) (int, time.Duration) {
	n, began := 0, time.Now()
	_ = r.unary(ctx, method, nil, nil, nil,
		func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			n++
			for _, s := range said {
				sending{}.HandleRPC(ctx, s)
			}
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
		{"another server", encrypt, status.Error(codes.Unavailable, "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"), once},
		{"too many connections", encrypt, status.Error(codes.Unavailable, "transport: authentication handshake failed: EOF"), again},
		{"a load balancer restarts", encrypt, status.Error(codes.Unavailable, "transport: authentication handshake failed: read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer"), again},
		{"the handshake takes too long", encrypt, status.Error(codes.Unavailable, "transport: authentication handshake failed: context deadline exceeded"), again},
		{"refused by somebody else", createKey, answered(t, codes.Unavailable, &errdetails.ErrorInfo{Reason: "UPSTREAM", Domain: "proxy.example"}), once},
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

// What was not sent cannot have changed anything.
func TestWhatWasNotSentIsRepeated(t *testing.T) {
	begun, begunAgain, sent := &stats.Begin{}, &stats.Begin{IsTransparentRetryAttempt: true}, &stats.OutHeader{}
	unreachable := status.Error(codes.Unavailable, "connection refused")
	tests := []struct {
		name string
		said []stats.RPCStats
		err  error
		want int
	}{
		{"not sent", []stats.RPCStats{begun}, unreachable, 1 + DefaultRetries},
		{"sent", []stats.RPCStats{begun, sent}, unreachable, 1},
		{"sent, not looked at, not sent again", []stats.RPCStats{begun, sent, begunAgain}, unreachable, 1 + DefaultRetries},
		{"sent, not looked at, sent again", []stats.RPCStats{begun, sent, begunAgain, sent}, unreachable, 1},
		{"not sent before the end of the context", []stats.RPCStats{begun}, status.Error(codes.DeadlineExceeded, ""), 1},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got, _ := attemptsWith(t.Context(), newRetrier(0), createKey, tc.err, tc.said...); got != tc.want {
					t.Errorf("%d attempts, want %d", got, tc.want)
				}
			})
		})
	}
}

// A client whose calls fail stops to repeat them; what never reached the server
// does not count, and successes make up for failures.
func TestRepetitionsHaveABudget(t *testing.T) {
	busy := answered(t, codes.ResourceExhausted, named("ThrottlingException", nil), &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	unreachable := status.Error(codes.Unavailable, "connection refused")
	synctest.Test(t, func(t *testing.T) {
		r := newRetrier(0)
		for range 100 {
			if n, _ := attemptsWith(t.Context(), r, encrypt, unreachable); n != 1+DefaultRetries {
				t.Fatalf("what was not sent is tried %d times", n)
			}
		}
		sent := 0
		for range 100 {
			n, _ := attemptsWith(t.Context(), r, encrypt, busy, &stats.OutHeader{})
			sent += n
		}
		if sent < 100+30 || sent > 100+50 {
			t.Errorf("100 calls have become %d, want some 140", sent)
		}
		for range 10 * 100 {
			if err := r.unary(t.Context(), encrypt, nil, nil, nil,
				func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if n, _ := attemptsWith(t.Context(), r, encrypt, busy, &stats.OutHeader{}); n != 1+DefaultRetries {
			t.Errorf("after many successes a call is tried %d times", n)
		}
	})
}

func TestHowOftenAndHowLong(t *testing.T) {
	unreachable := status.Error(codes.Unavailable, "connection refused")
	busy := answered(t, codes.ResourceExhausted, named("ThrottlingException", nil), &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	soon := answered(t, codes.ResourceExhausted, named("ThrottlingException", nil), &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)})
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
		{"asked for little, and longer each time", 0, soon, time.Hour, 5, 1125 * time.Millisecond, 2250 * time.Millisecond},
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
