package server

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/server/authn"
)

// inRegions has the harness serve Virginia by default, and Ireland. Each answers
// a key whose ARN is its name.
func (h *harness) inRegions() *harness {
	h.config.Regions = map[string]Region{}
	for _, name := range []string{"eu-west-1", "us-east-1"} {
		kms := &fakeKMS{describeKey: func(context.Context, *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
			return &kmsv1.DescribeKeyResponse{KeyMetadata: &kmsv1.KeyMetadata{Arn: &name}}, nil
		}}
		h.config.Regions[name], h.config.Default = kms, kms // the last one by default
	}
	return h.start()
}

func TestARequestMeansTheRegionThatItNames(t *testing.T) {
	h := newHarness(t).inRegions()
	client := h.client()
	for name, test := range map[string]struct {
		header []string
		answer string // the Region that answers
		words  string // or the refusal
	}{
		"none":            {nil, "us-east-1", ""},
		"the default one": {[]string{"us-east-1"}, "us-east-1", ""},
		"another one":     {[]string{"eu-west-1"}, "eu-west-1", ""},
		"unknown":         {[]string{"ap-south-1"}, "", `The header strongroom-region names the Region "ap-south-1", which this server does not have. It has: eu-west-1, us-east-1.`},
		"in capitals":     {[]string{"EU-WEST-1"}, "", `names the Region "EU-WEST-1", which`},
		"empty":           {[]string{""}, "", `names the Region "", which`},
		"long":            {[]string{strings.Repeat("x", 8000)}, "", `names the Region "` + strings.Repeat("x", 32) + `...", which`},
		"twice":           {[]string{"eu-west-1", "eu-west-1"}, "", "The header strongroom-region stands 2 times in the request."},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := metadata.NewOutgoingContext(h.context(), metadata.MD{authn.RegionHeader: test.header})
			res, err := client.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{})
			if test.words == "" {
				if err != nil || res.GetKeyMetadata().GetArn() != test.answer {
					t.Errorf("%v answered, %v; want %s", res, err, test.answer)
				}
				return
			}
			wantError(t, err, codes.InvalidArgument, "ValidationException")
			got := h.rejection(t)
			if got.err.Kind != annotationsv1.ErrorKind_ERROR_KIND_VALIDATION || got.method != describeKeyMethod || got.caller.Region != test.header[0] {
				t.Errorf("recorded %+v", got)
			}
			if answered := status.Convert(err).Message(); !strings.Contains(answered, test.words) || answered != got.err.Message {
				t.Errorf("answered %q, recorded %q, want %q", answered, got.err.Message, test.words)
			}
		})
	}
}

// TestWhoIsNobodyHearsOfNoRegions asks with the certificate of no principal.
func TestWhoIsNobodyHearsOfNoRegions(t *testing.T) {
	h := newHarness(t).inRegions()
	h.known.Delete(aliceName)
	_, err := h.client().DescribeKey(metadata.AppendToOutgoingContext(h.context(), authn.RegionHeader, "ap-south-1"), &kmsv1.DescribeKeyRequest{})
	wantError(t, err, codes.InvalidArgument, "ValidationException")
	if words := status.Convert(err).Message(); !strings.HasSuffix(words, `"ap-south-1", which this server does not have.`) {
		t.Errorf("answered %q", words)
	}
	h.rejection(t)
}

// TestEveryOperationIsOfARegion asks for each operation in a Region that there is
// not, with a message that is not looked at.
func TestEveryOperationIsOfARegion(t *testing.T) {
	h := newHarness(t).inRegions()
	conn := h.dial()
	for _, m := range kmsv1.KeyManagementService_ServiceDesc.Methods {
		method := "/" + kmsv1.KeyManagementService_ServiceDesc.ServiceName + "/" + m.MethodName
		ctx := metadata.AppendToOutgoingContext(h.context(), authn.RegionHeader, "ap-south-1")
		err := conn.Invoke(ctx, method, []byte("\xff"), new([]byte), grpc.ForceCodec(rawCodec{}))
		wantError(t, err, codes.InvalidArgument, "ValidationException")
		if got := h.rejection(t); got.method != method {
			t.Errorf("%s is recorded as %s", method, got.method)
		}
	}
}

// TestTheOperatorServiceIsOfNoRegion asks with a Region that there is not.
func TestTheOperatorServiceIsOfNoRegion(t *testing.T) {
	h := newHarness(t)
	reached := make(chan struct{}, 1)
	h.operator.streamEvents = func(grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
		reached <- struct{}{}
		return nil
	}
	client := operatorv1.NewOperatorServiceClient(h.inRegions().dial())
	ctx := metadata.AppendToOutgoingContext(h.context(), authn.RegionHeader, "ap-south-1")
	stream, err := client.StreamEvents(ctx, &operatorv1.StreamEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) || len(reached) != 1 {
		t.Errorf("the stream did not get to its service: %v", err)
	}
	_, err = client.DescribeHsms(ctx, &operatorv1.DescribeHsmsRequest{})
	if info := errorInfo(err); info.GetReason() == "ValidationException" || len(h.rejected) != 0 {
		t.Errorf("DescribeHsms did not get to its service, which does not have it: %v", err)
	}
}

// TestOneRegionNeedsNoName has a server that was told of no Regions.
func TestOneRegionNeedsNoName(t *testing.T) {
	h := newHarness(t).start()
	client := h.client()
	if _, err := client.DescribeKey(h.context(), &kmsv1.DescribeKeyRequest{}); err != nil {
		t.Error(err)
	}
	_, err := client.DescribeKey(metadata.AppendToOutgoingContext(h.context(), authn.RegionHeader, "us-east-1"), &kmsv1.DescribeKeyRequest{})
	wantError(t, err, codes.InvalidArgument, "ValidationException")
}
