package describe_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func TestWireName(t *testing.T) {
	tests := []struct {
		value protoreflect.Enum
		want  string
	}{
		{kmsv1.KeySpec_KEY_SPEC_RSA_2048, "RSA_2048"},
		{kmsv1.KeySpec_KEY_SPEC_ECC_SECG_P256_K1, "ECC_SECG_P256K1"},
		{kmsv1.KeyState_KEY_STATE_PENDING_DELETION, "PendingDeletion"},
		{kmsv1.KeySpec_KEY_SPEC_UNSPECIFIED, "UNSPECIFIED"},
		{kmsv1.KeySpec(99), "99"},
		{kmsv1.KeySpec(-1), "-1"},
	}
	for _, tt := range tests {
		if got := describe.WireName(tt.value); got != tt.want {
			t.Errorf("WireName(%v) = %q, want %q", tt.value, got, tt.want)
		}
	}
}

func TestEnumPlansAgreeWithWireName(t *testing.T) {
	reachable(compiled(t), func(m *describe.Message) {
		for _, f := range m.Fields {
			if f.Enum == nil {
				continue
			}
			for _, name := range f.Enum.Names() {
				n, ok := f.Enum.Number(name)
				back, known := f.Enum.WireName(n)
				if !ok || !known || back != name {
					t.Errorf("%s: %q is number %d, which is %q", f.Enum.Desc.Name(), name, n, back)
				}
			}
			if _, known := f.Enum.WireName(0); known {
				t.Errorf("%s: the unspecified value has a wire name", f.Enum.Desc.Name())
			}
		}
	})
}
