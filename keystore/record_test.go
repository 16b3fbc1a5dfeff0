package keystore

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// TestValuesOfVersion1AreStillRead compares with files of values as version 1
// wrote them. They never change; a new version gets files of its own.
func TestValuesOfVersion1AreStillRead(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]proto.Message{
		"key_v1": &storagev1.KeyRecord{
			KeyId:       new("1234abcd-12ab-34cd-56ef-1234567890ab"),
			Arn:         new("arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
			Created:     &timestamppb.Timestamp{Seconds: 1795408621, Nanos: 305079000},
			Description: new("payroll"),
			KeySpec:     kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT.Enum(),
			KeyUsage:    kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT.Enum(),
			Origin:      kmsv1.OriginType_ORIGIN_TYPE_AWS_KMS.Enum(),
			State:       kmsv1.KeyState_KEY_STATE_ENABLED.Enum(),
			BackingKeys: []*storagev1.BackingKey{
				{Id: []byte("0123456789abcdef"), Created: &timestamppb.Timestamp{Seconds: 1795408621}},
				{Id: []byte("fedcba9876543210"), Created: &timestamppb.Timestamp{Seconds: 1795408622}},
			},
		},
		"invocations_v1": &storagev1.InvocationRecord{Reserved: new(uint64(3 << 30))},
		"principal_v1": &storagev1.PrincipalRecord{
			Arn:       new("arn:aws:iam::000000000000:user/alice"),
			Names:     []string{"spiffe://corp/alice", "alice.corp.example"},
			Policies:  []string{"user", "payments"},
			Created:   &timestamppb.Timestamp{Seconds: 1795408621},
			Updated:   &timestamppb.Timestamp{Seconds: 1795408622},
			ChangedBy: new("99999999-8888-7777-6666-555555555555"),
		},
		"policy_v1": &storagev1.PolicyRecord{
			Name:      new("payments"),
			Document:  new(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`),
			Created:   &timestamppb.Timestamp{Seconds: 1795408621},
			Updated:   &timestamppb.Timestamp{Seconds: 1795408622},
			ChangedBy: new("99999999-8888-7777-6666-555555555555"),
		},
		"accesskey_v1": &storagev1.AccessKeyRecord{
			AccessKeyId:  new("AKIAIOSFODNN7EXAMPLE"),
			Principal:    new("arn:aws:iam::000000000000:user/alice"),
			SealedSecret: []byte("0123456789ab40 bytes of ciphertext, and 16 of its tag."),
			SealingKeyId: []byte("0123456789abcdef"),
			Created:      &timestamppb.Timestamp{Seconds: 1795408621},
			ChangedBy:    new("99999999-8888-7777-6666-555555555555"),
		},
		"sealingkey_v1": &storagev1.SealingKeyRecord{
			Id:        []byte("0123456789abcdef"),
			Created:   &timestamppb.Timestamp{Seconds: 1795408621},
			ChangedBy: new("99999999-8888-7777-6666-555555555555"),
		},
		"login_v1": &storagev1.LoginRecord{
			Refused: []*storagev1.RefusedPinRecord{{
				Salt: []byte("0123456789abcdef"), Hash: []byte("0123456789abcdef0123456789abcdef"),
				RefusedAt: &timestamppb.Timestamp{Seconds: 1795408621},
			}},
			OpenAttempts: new(uint32(1)),
		},
		"service_v1": &storagev1.ServiceRecord{JournalId: new("1c62d3372ecf4c9b9af5a20086c387bc")},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name)
			encoded, err := encodeValue(want)
			if err != nil {
				t.Fatal(err)
			}
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(path, encoded, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := want.ProtoReflect().New().Interface()
			if err := decodeValue(golden, got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("the golden value is read as (-want +got):\n%s", diff)
			}
			if !bytes.Equal(encoded, golden) {
				t.Errorf("the same message is written as\n%x, and was\n%x", encoded, golden)
			}
		})
	}
}

func TestValuesOfOtherVersionsAreRefusedWithWords(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":        "the value is empty",
		"\x02abc": "the value has format version 2, and this binary knows only 1: a newer strongroom wrote it",
		"\x00":    "the value has format version 0, and this binary knows only 1: a newer strongroom wrote it",
	} {
		if err := decodeValue([]byte(value), new(storagev1.KeyRecord)); err == nil || err.Error() != want {
			t.Errorf("decodeValue(%q) = %v, want %s", value, err, want)
		}
	}
}
