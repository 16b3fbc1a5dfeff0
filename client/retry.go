package client

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// DefaultRetries is the number of repetitions if Config.Retries is 0. Their pauses
// add up to one to two seconds: a server may be restarted meanwhile.
const DefaultRetries = 4

const (
	firstPause   = 150 * time.Millisecond // doubled each time
	longestPause = 5 * time.Second
	// longestHint is how long a call waits because the server says so. Beyond it
	// the caller decides: Error.RetryAfter has the time.
	longestHint = 10 * time.Second
)

// retrier repeats calls.
type retrier struct {
	most   int
	safe   map[string]bool // the methods that change nothing, by full name
	budget *budget
}

func newRetrier(most int) retrier {
	if most == 0 {
		most = DefaultRetries
	}
	r := retrier{most: most, safe: map[string]bool{}, budget: newBudget()}
	for _, file := range []protoreflect.FileDescriptor{kmsv1.File_strongroom_kms_v1_kms_proto, operatorv1.File_strongroom_operator_v1_operator_proto} {
		for i := range file.Services().Len() {
			r.learn(file.Services().Get(i))
		}
	}
	return r
}

// learn notes which methods of a service change nothing, by their idempotency
// level in the proto.
func (r retrier) learn(service protoreflect.ServiceDescriptor) {
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		options, ok := m.Options().(*descriptorpb.MethodOptions)
		if ok && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
			r.safe["/"+string(service.FullName())+"/"+string(m.Name())] = true
		}
	}
}

func (r retrier) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	for done := 0; ; done++ {
		attempted, a := newAttempt(ctx)
		err := invoke(attempted, method, req, reply, cc, opts...)
		if err == nil {
			r.budget.succeeded()
			return nil
		}
		e, ok := AsError(err)
		if !ok || !r.mayRepeat(method, e, a.sent.Load()) || done >= r.most || !wait(ctx, pause(e, done)) {
			return err
		}
	}
}

// mayRepeat says whether a call may be repeated, and counts its failure. What was
// not sent has changed nothing and cost the server nothing.
func (r retrier) mayRepeat(method string, e *Error, sent bool) bool {
	switch {
	case e.hopeless || e.RetryAfter > longestHint:
		return false
	case e.Code != codes.Unavailable && (e.Code != codes.ResourceExhausted || e.RetryAfter <= 0):
		return false
	case !sent:
		return true
	}
	affordable := r.budget.failed()
	return affordable && (e.Name != "" || r.safe[method])
}

// pause is how long to wait before a call is repeated that has been repeated so
// often: longer each time, and never shorter than the server asks.
func pause(e *Error, done int) time.Duration {
	longest := min(firstPause<<min(done, 10), longestPause)
	own := longest/2 + rand.N(longest/2)
	return max(own, e.RetryAfter+rand.N(e.RetryAfter/2+1))
}

// wait waits, or returns false if ctx does not last so long.
func wait(ctx context.Context, pause time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= pause {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
