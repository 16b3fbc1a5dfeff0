package server

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// A client's trace, as the W3C has it, and what it says of it for others.
const (
	clientTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientParent = "00-" + clientTrace + "-00f067aa0ba902b7-01"
	clientState  = "vendor=hunter2"
)

// traced starts a server whose spans are kept.
func traced(t *testing.T) (*harness, *tracetest.InMemoryExporter) {
	t.Helper()
	h, spans := newHarness(t), tracetest.NewInMemoryExporter()
	h.config.Tracing = sdk.NewTracerProvider(sdk.WithSyncer(spans))
	return h.start(), spans
}

func expectSpan(t *testing.T, spans *tracetest.InMemoryExporter, traceID, failure string, want map[attribute.Key]string) {
	t.Helper()
	all := spans.GetSpans()
	spans.Reset()
	if len(all) != 1 {
		t.Fatalf("%d spans, want 1", len(all))
	}
	s, set := all[0], attribute.NewSet(all[0].Attributes...)
	if s.Name != "strongroom.kms.v1.KeyManagementService/DescribeKey" || s.SpanKind != trace.SpanKindServer || s.SpanContext.TraceState().Len() != 0 {
		t.Errorf("the span is %+v", s)
	}
	if traceID != "" && s.SpanContext.TraceID().String() != traceID {
		t.Errorf("the trace is %s, want the client's", s.SpanContext.TraceID())
	}
	if s.Status.Description != failure || (s.Status.Code == codes.Error) != (failure != "") {
		t.Errorf("the status is %+v, want %q", s.Status, failure)
	}
	for key, value := range want {
		if got, _ := set.Value(key); got.AsString() != value {
			t.Errorf("%s is %q, want %q", key, got.AsString(), value)
		}
	}
}

func TestSpansOfGRPCRequests(t *testing.T) {
	h, spans := traced(t)
	conn := h.dial()
	var header metadata.MD
	if err := callDescribeKey(h, conn, &header); err != nil {
		t.Fatal(err)
	}
	expectSpan(t, spans, "", "", map[attribute.Key]string{
		"strongroom.front_end": keystore.FrontEndGRPC, "client.address": "127.0.0.1", "aws.request_id": header.Get(requestIDHeader)[0],
	})
	ctx := metadata.AppendToOutgoingContext(h.context(), TraceHeader, clientParent, "tracestate", clientState)
	err := conn.Invoke(ctx, describeKeyMethod, &kmsv1.DescribeKeyRequest{}, &kmsv1.DescribeKeyResponse{})
	if err != nil {
		t.Fatal(err)
	}
	expectSpan(t, spans, clientTrace, "", nil)
	if err := checkHealth(h, conn); err != nil || len(spans.GetSpans()) != 0 {
		t.Errorf("a request for health left %d spans, %v", len(spans.GetSpans()), err)
	}
}

func TestSpansOfRequestsInProcess(t *testing.T) {
	h, spans := traced(t)
	for name, test := range map[string]struct {
		decode  func(proto.Message) error
		failure string
	}{
		"answered": {decodesNothing, ""},
		"refused": {func(proto.Message) error {
			return &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_SERIALIZATION}
		}, "SerializationException"},
	} {
		ctx := keystore.NewContext(h.context(), keystore.Caller{FrontEnd: keystore.FrontEndAWS, Principal: aliceARN, RequestID: "request-1"})
		err := h.server.Invoke(ctx, Request{Method: describeKeyMethod, TraceParent: clientParent, Decode: test.decode, Answer: func(proto.Message) {}})
		if (err != nil) != (test.failure != "") {
			t.Errorf("%s: %v", name, err)
		}
		expectSpan(t, spans, clientTrace, test.failure, map[attribute.Key]string{"strongroom.front_end": keystore.FrontEndAWS, "aws.request_id": "request-1"})
	}
}
