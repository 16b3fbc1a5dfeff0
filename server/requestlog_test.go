package server

import (
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func TestRequestsAreLoggedAtDebugOnly(t *testing.T) {
	for level, want := range map[hclog.Level]bool{hclog.Info: false, hclog.Debug: true} {
		t.Run(level.String(), func(t *testing.T) {
			h := newHarness(t)
			h.config.Logger = hclog.New(&hclog.LoggerOptions{Output: h.log, Level: level})
			h.config.Redact = func(m proto.Message) string { return "redacted " + string(m.ProtoReflect().Descriptor().Name()) }
			_, err := h.start().client().DescribeKey(h.context(), &kmsv1.DescribeKeyRequest{KeyId: new("hunter2")})
			if err != nil {
				t.Fatal(err)
			}
			h.end()
			for _, text := range []string{describeKeyMethod, aliceARN, "code=OK",
				`"redacted DescribeKeyRequest"`, `"redacted DescribeKeyResponse"`} {
				if got := strings.Contains(h.log.String(), text); got != want {
					t.Errorf("log has %q: %t, want %t:\n%s", text, got, want, h.log)
				}
			}
			if strings.Contains(h.log.String(), "hunter2") {
				t.Error("the log has the message itself")
			}
		})
	}
}

func TestWithoutRedactorNoMessageIsLogged(t *testing.T) {
	h := newHarness(t)
	h.config.Logger = hclog.New(&hclog.LoggerOptions{Output: h.log, Level: hclog.Trace})
	_, err := h.start().client().DescribeKey(h.context(), &kmsv1.DescribeKeyRequest{KeyId: new("hunter2")})
	if err != nil {
		t.Fatal(err)
	}
	h.end()
	if log := h.log.String(); !strings.Contains(log, describeKeyMethod) || strings.Contains(log, "hunter2") {
		t.Errorf("want the method and not the message:\n%s", log)
	}
}
