package describe_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

func TestRedact(t *testing.T) {
	long := strings.Repeat("d", 300)
	tests := []struct {
		name string
		msg  proto.Message
		want string
	}{
		{"nothing", nil, "nil"},
		{"empty", &kmsv1.ListKeysRequest{}, "ListKeysRequest{}"},
		{
			"a secret",
			&kmsv1.EncryptRequest{KeyId: proto.String("alias/x"), Plaintext: secret, EncryptionContext: map[string]string{"b": "2\n", "a": "1"}},
			`EncryptRequest{key_id: "alias/x", plaintext: [redacted], encryption_context: {"a": "1", "b": "2\n"}}`,
		},
		{
			"an empty secret",
			&kmsv1.DecryptResponse{Plaintext: []byte{}, KeyId: proto.String("k")},
			`DecryptResponse{key_id: "k", plaintext: [redacted]}`,
		},
		{
			"public bytes, enums and what events omit",
			&kmsv1.DecryptRequest{
				CiphertextBlob:      []byte("blob"),
				GrantTokens:         []string{"t"},
				EncryptionAlgorithm: kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_SM2_PKE.Enum(),
				DryRun:              proto.Bool(false),
				DryRunModifiers:     []kmsv1.DryRunModifierType{1, 9},
			},
			`DecryptRequest{ciphertext_blob: 4 bytes, grant_tokens: ["t"], encryption_algorithm: SM2PKE, dry_run: false, dry_run_modifiers: [IGNORE_CIPHERTEXT, 9]}`,
		},
		{
			"a long string",
			&kmsv1.CreateKeyRequest{Description: proto.String(long)},
			`CreateKeyRequest{description: "` + long[:256] + `..."}`,
		},
		{
			"a long list",
			&kmsv1.DescribeKeyRequest{GrantTokens: make([]string, 100)},
			`DescribeKeyRequest{grant_tokens: [` + strings.Repeat(`"", `, 16) + `...]}`,
		},
		{
			"a structure with a time",
			&operatorv1.DescribeHsmsResponse{Hsms: []*operatorv1.HsmDescription{{
				HsmId: proto.String("hsm-1"), WorkerPid: proto.Int32(-1), ReadySince: timestamppb.New(time.Unix(1, 5)),
			}}},
			`DescribeHsmsResponse{hsms: [{hsm_id: "hsm-1", worker_pid: -1, ready_since: 1970-01-01T00:00:01.000000005Z}]}`,
		},
		{"a type without plan", timestamppb.New(time.Unix(1, 0)), "google.protobuf.Timestamp{...}"},
	}
	api := compiled(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := api.Redact(tt.msg); got != tt.want {
				t.Errorf("Redact:\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}
