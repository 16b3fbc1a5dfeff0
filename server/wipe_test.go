package server

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func TestMessagesAreWipedAfterTheyHaveBeenUsed(t *testing.T) {
	h := newHarness(t)
	wiped := make(chan string, 8)
	h.config.Wipe = func(m proto.Message) {
		proto.Reset(m) // whoever uses it afterwards finds nothing
		wiped <- string(m.ProtoReflect().Descriptor().Name())
	}
	h.kms.describeKey = func(context.Context, *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
		return &kmsv1.DescribeKeyResponse{KeyMetadata: &kmsv1.KeyMetadata{KeyId: new("k")}}, nil
	}
	res, err := h.start().client().DescribeKey(h.context(), &kmsv1.DescribeKeyRequest{KeyId: new("k")})
	if err != nil || res.GetKeyMetadata() == nil {
		t.Errorf("the answer was wiped before it was sent: %v, %v", res, err)
	}
	h.end()
	close(wiped)
	seen := map[string]bool{}
	for name := range wiped {
		seen[name] = true
	}
	for _, name := range []string{"DescribeKeyRequest", "DescribeKeyResponse"} {
		if !seen[name] {
			t.Errorf("%s was not wiped", name)
		}
	}
}
