package server

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// invoke does a DescribeKey of alice's in process, which must not be answered but
// by the error that it returns.
func (h *harness) invoke(region string, decode func(proto.Message) error) *keystore.Error {
	h.t.Helper()
	ctx := keystore.NewContext(h.context(), keystore.Caller{Principal: aliceARN, RequestID: "request-1", Region: region})
	return h.server.Invoke(ctx, Request{
		Method: describeKeyMethod, Decode: decode,
		Answer: func(m proto.Message) { h.t.Errorf("answered %v", m) },
	})
}

func decodesNothing(proto.Message) error { return nil }

// What never reaches an operation has its event as it has over gRPC.
func TestRequestsInProcessThatReachNoOperationAreRecorded(t *testing.T) {
	for name, test := range map[string]struct {
		region string
		decode func(proto.Message) error
		kind   annotationsv1.ErrorKind
	}{
		"undecodable": {"", func(proto.Message) error {
			return &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_SERIALIZATION}
		}, annotationsv1.ErrorKind_ERROR_KIND_SERIALIZATION},
		"panic of the decoder": {"", func(proto.Message) error { panic("hunter2") }, annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE},
		"unknown Region":       {"mars-north-1", decodesNothing, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.config.Regions = map[string]Region{"us-east-1": h.kms}
			h.start()
			err := h.invoke(test.region, test.decode)
			if err == nil || err.Kind != test.kind {
				t.Fatalf("answered %v, want %v", err, test.kind)
			}
			got := h.rejection(t)
			if got.method != describeKeyMethod || got.err.Kind != test.kind || got.caller.RequestID != "request-1" {
				t.Errorf("recorded %+v", got)
			}
			if strings.Contains(h.log.String(), "hunter2") {
				t.Errorf("the value of a panic is in the log:\n%s", h.log)
			}
		})
	}
}

func TestAPanicOfAnOperationInProcessIsRecorded(t *testing.T) {
	h := newHarness(t)
	h.kms.describeKey = func(context.Context, *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) { panic("hunter2") }
	h.start()
	err := h.invoke("", decodesNothing)
	if err == nil || err.Kind != annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE {
		t.Errorf("answered %v", err)
	}
	if got := h.rejection(t); got.err.Kind != annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE {
		t.Errorf("recorded %+v", got)
	}
}

// A request in process takes one of the places of all, and is refused without one.
func TestRequestsInProcessAreAmongThoseInFlight(t *testing.T) {
	h, entered := busy(t, func(c *Config) { c.MaxInFlight = 4 })
	occupy(t, h, entered, 3, h.dial(), callDescribeKey)
	err := h.invoke("", decodesNothing)
	if err == nil || err.Kind != annotationsv1.ErrorKind_ERROR_KIND_THROTTLING {
		t.Errorf("answered %v", err)
	}
	if got := h.rejection(t); got.err.Kind != annotationsv1.ErrorKind_ERROR_KIND_THROTTLING || got.caller.RequestID != "request-1" {
		t.Errorf("recorded %+v", got)
	}
}
