package server

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const (
	describeKeyMethod  = "/strongroom.kms.v1.KeyManagementService/DescribeKey"
	streamEventsMethod = "/strongroom.operator.v1.OperatorService/StreamEvents"
)

// rawCodec sends and takes bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	raw, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("%T is not raw", v)
	}
	return raw, nil
}

func (rawCodec) Unmarshal([]byte, any) error { return nil }

func TestRequestsThatReachNoOperationAreRecorded(t *testing.T) {
	h := newHarness(t)
	h.kms.describeKey = func(context.Context, *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
		t.Error("the operation ran")
		return nil, nil
	}
	conn := h.start().dial()
	for name, test := range map[string]struct {
		method, message string
		code            codes.Code
		kind            annotationsv1.ErrorKind
		reason          string
	}{
		"unknown method of ours": {"/strongroom.kms.v1.KeyManagementService/Exfiltrate", "", codes.Unimplemented,
			annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION, "UnknownOperationException"},
		"unknown service": {"/other.v1.Service/Method", "", codes.Unimplemented,
			annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION, "UnknownOperationException"},
		"not protobuf": {describeKeyMethod, "\xff\xff", codes.InvalidArgument,
			annotationsv1.ErrorKind_ERROR_KIND_SERIALIZATION, "SerializationException"},
		"stream, not protobuf": {streamEventsMethod, "\xff\xff", codes.InvalidArgument,
			annotationsv1.ErrorKind_ERROR_KIND_SERIALIZATION, "SerializationException"},
		"not UTF-8": {describeKeyMethod, "\x0a\x01\xff", codes.InvalidArgument,
			annotationsv1.ErrorKind_ERROR_KIND_SERIALIZATION, "SerializationException"},
	} {
		t.Run(name, func(t *testing.T) {
			var header metadata.MD
			err := conn.Invoke(h.context(), test.method, []byte(test.message), new([]byte),
				grpc.ForceCodec(rawCodec{}), grpc.Header(&header))
			wantError(t, err, test.code, test.reason)
			got := h.rejection(t)
			if got.method != test.method || got.err.Kind != test.kind || got.caller.Principal != aliceARN {
				t.Errorf("recorded %+v", got)
			}
			if id := header.Get(requestIDHeader); len(id) != 1 || id[0] != got.caller.RequestID {
				t.Errorf("answered request id %v, recorded %s", id, got.caller.RequestID)
			}
		})
	}
}

func TestOversizeRequestsAreRefused(t *testing.T) {
	h := newHarness(t)
	conn := h.start().dial()
	send := func(method string, size int) error {
		return conn.Invoke(h.context(), method, bytes.Repeat([]byte{0xff}, size), new([]byte), grpc.ForceCodec(rawCodec{}))
	}
	for _, method := range []string{describeKeyMethod, streamEventsMethod} {
		wantError(t, send(method, MaxRequestBytes), codes.InvalidArgument, "SerializationException")
		h.rejection(t)
		wantError(t, send(method, MaxRequestBytes+1), codes.ResourceExhausted, "RequestEntityTooLargeException")
		h.rejection(t)
		if err := send(method, hardMaxRequestBytes+1); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: beyond the hard limit: %v", method, err)
		}
	}
	_, err := kmsv1.NewKeyManagementServiceClient(conn).DescribeKey(
		metadata.AppendToOutgoingContext(h.context(), "x-large", strings.Repeat("x", MaxHeaderBytes)),
		&kmsv1.DescribeKeyRequest{})
	if err == nil {
		t.Error("a header list over the limit was taken")
	}
}
