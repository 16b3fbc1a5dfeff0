package server

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

func TestPanicsBecomeErrorsWithAnEvent(t *testing.T) {
	h := newHarness(t)
	h.kms.describeKey = func(_ context.Context, r *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
		if r.GetKeyId() == "index" {
			_ = r.GetGrantTokens()[0]
		}
		panic("a plaintext: hunter2")
	}
	h.operator.streamEvents = func(grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
		panic("a plaintext: hunter2")
	}
	h.start()
	conn := h.dial()
	for name, test := range map[string]struct {
		call        func() error
		method, log string
	}{
		"value": {func() error { return callDescribeKey(h, conn, &metadata.MD{}) },
			"/strongroom.kms.v1.KeyManagementService/DescribeKey", "a value of type string"},
		"runtime error": {func() error {
			_, err := kmsv1.NewKeyManagementServiceClient(conn).DescribeKey(h.context(), &kmsv1.DescribeKeyRequest{KeyId: new("index")})
			return err
		}, "/strongroom.kms.v1.KeyManagementService/DescribeKey", "index out of range"},
		"stream": {func() error { return callStreamEvents(h, conn, &metadata.MD{}) },
			"/strongroom.operator.v1.OperatorService/StreamEvents", "a value of type string"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, test.call(), codes.Internal, "InternalFailure")
			got := h.rejection(t)
			if got.method != test.method || got.err.Kind != annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE {
				t.Errorf("recorded %s %v", got.method, got.err)
			}
			if got.caller.Principal != aliceARN || got.caller.RequestID == "" {
				t.Errorf("recorded for caller %+v", got.caller)
			}
			if !strings.Contains(h.log.String(), test.log) || !strings.Contains(h.log.String(), "recovery_test.go") {
				t.Errorf("the log lacks %q or the stack:\n%s", test.log, h.log)
			}
		})
	}
	if strings.Contains(h.log.String(), "hunter2") {
		t.Errorf("the value of a panic is in the log:\n%s", h.log)
	}
}
