package present_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

func TestJSONHasTheNamesOfAWS(t *testing.T) {
	created := timestamppb.New(time.Date(2026, 11, 23, 4, 5, 6, 700_000_000, time.UTC))
	tests := []struct {
		name string
		m    proto.Message
		want string
	}{
		{"absent and empty differ", &kmsv1.ListKeysResponse{Truncated: new(false)}, "{\n  \"Keys\": [],\n  \"Truncated\": false\n}\n"},
		{"nothing", &kmsv1.DescribeKeyResponse{}, "{}\n"},
		{"bytes, secret ones too", &kmsv1.DecryptResponse{Plaintext: []byte("hi?>")}, "{\n  \"Plaintext\": \"aGk/Pg==\"\n}\n"},
		{"strings are not made fit for HTML", &kmsv1.KeyMetadata{Description: new("a<b & \"c\"\n")}, "{\n  \"Description\": \"a<b & \\\"c\\\"\\n\"\n}\n"},
		{"maps", &kmsv1.EncryptRequest{EncryptionContext: map[string]string{"b": "2", "a": "1"}},
			"{\n  \"EncryptionContext\": {\n    \"a\": \"1\",\n    \"b\": \"2\"\n  }\n}\n"},
		{"times, enums, lists and structures", &kmsv1.DescribeKeyResponse{KeyMetadata: &kmsv1.KeyMetadata{
			AwsAccountId:         new("000000000000"),
			CreationDate:         created,
			KeyState:             kmsv1.KeyState_KEY_STATE_PENDING_DELETION.Enum(),
			KeySpec:              kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT.Enum(),
			EncryptionAlgorithms: []kmsv1.EncryptionAlgorithmSpec{kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_SYMMETRIC_DEFAULT, 99},
		}}, `{
  "KeyMetadata": {
    "AWSAccountId": "000000000000",
    "CreationDate": "2026-11-23T04:05:06.7Z",
    "KeyState": "PendingDeletion",
    "KeySpec": "SYMMETRIC_DEFAULT",
    "EncryptionAlgorithms": [
      "SYMMETRIC_DEFAULT",
      99
    ]
  }
}
`},
	}
	j, err := present.NewJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := j.Write(&out, tc.m); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestJSONRefusesForeignMessages(t *testing.T) {
	j, err := present.NewJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Write(new(bytes.Buffer), &emptypb.Empty{}); err == nil {
		t.Error("printed a message that the API does not have")
	}
}

func TestEnumsAreSpeltAsAWSDoes(t *testing.T) {
	for _, tc := range []struct {
		e    protoreflect.Enum
		want string
	}{
		{kmsv1.KeyState_KEY_STATE_ENABLED, "Enabled"},
		{kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT, "SYMMETRIC_DEFAULT"},
		{operatorv1.HsmState_HSM_STATE_READY, "READY"},
		{kmsv1.KeyState_KEY_STATE_UNSPECIFIED, ""},
		{kmsv1.KeyState(77), "77"},
	} {
		if got := present.Enum(tc.e); got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.e, got, tc.want)
		}
	}
}

func TestTables(t *testing.T) {
	var out bytes.Buffer
	err := present.Table(&out, []string{"KEY", "STATE"}, [][]string{{"a-long-name", "Enabled"}, {"b\n", "Disabled"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := present.Fields(&out, []present.Field{{"ARN", "arn:aws:kms"}, {"Description", ""}, {"State", "Enabled"}}); err != nil {
		t.Fatal(err)
	}
	want := `KEY          STATE
a-long-name  Enabled
b?           Disabled
ARN    arn:aws:kms
State  Enabled
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEventLines(t *testing.T) {
	tests := []struct{ name, event, want string }{
		{"success", `{"eventTime":"2026-11-23T04:05:06Z","eventName":"Encrypt","requestID":"r-1",
			"userIdentity":{"arn":"arn:aws:iam::000000000000:user/alice"},
			"resources":[{"ARN":"arn:aws:kms:us-east-1:000000000000:key/0b7c"}]}`,
			"2026-11-23T04:05:06Z  Encrypt                              user/alice    0b7c                                  r-1                                   ok"},
		{"refused without a caller", `{"eventTime":"2026-11-23T04:05:06Z","eventName":"Encrypt","requestID":"r-2","errorCode":"AccessDeniedException"}`,
			"2026-11-23T04:05:06Z  Encrypt                              -             -                                     r-2                                   AccessDeniedException"},
		{"of an alias", `{"eventTime":"2026-11-23T04:05:06Z","eventName":"DeleteAlias","requestID":"r-3",
			"resources":[{"ARN":"arn:aws:kms:us-east-1:000000000000:alias/archive/2026"}]}`,
			"2026-11-23T04:05:06Z  DeleteAlias                          -             alias/archive/2026                    r-3                                   ok"},
		{"of the service itself", `{"eventTime":"2026-11-23T04:05:06Z","eventName":"DeleteKey","requestID":"r-4",
			"userIdentity":{"invokedBy":"AWS Internal"},"resources":[{"ARN":"arn:aws:kms:us-east-1:000000000000:key/0b7c"}]}`,
			"2026-11-23T04:05:06Z  DeleteKey                            (service)     0b7c                                  r-4                                   ok"},
		{"of a key store", `{"eventTime":"2026-11-23T04:05:06Z","eventName":"DisconnectCustomKeyStore","requestID":"r-5",
			"additionalEventData":{"customKeyStoreId":"cks-0b7c"}}`,
			"2026-11-23T04:05:06Z  DisconnectCustomKeyStore             -             cks-0b7c                              r-5                                   ok"},
		{"of a key store, refused", `{"eventTime":"2026-11-23T04:05:06Z","eventName":"DeleteCustomKeyStore","requestID":"r-5","errorCode":"CustomKeyStoreInvalidStateException",
			"requestParameters":{"customKeyStoreId":"cks-0b7c"},"responseElements":null}`,
			"2026-11-23T04:05:06Z  DeleteCustomKeyStore                 -             cks-0b7c                              r-5                                   CustomKeyStoreInvalidStateException"},
		{"of a new key store", `{"eventTime":"2026-11-23T04:05:06Z","eventName":"CreateCustomKeyStore","requestID":"r-5",
			"requestParameters":{"customKeyStoreName":"second"},"responseElements":{"customKeyStoreId":"cks-0b7c"}}`,
			"2026-11-23T04:05:06Z  CreateCustomKeyStore                 -             cks-0b7c                              r-5                                   ok"},
		{"of a key in a key store", `{"eventTime":"2026-11-23T04:05:06Z","eventName":"GenerateDataKeyPairWithoutPlaintext","requestID":"r-6",
			"additionalEventData":{"customKeyStoreId":"cks-0b7c"},"resources":[{"ARN":"arn:aws:kms:us-east-1:000000000000:key/0b7c"}]}`,
			"2026-11-23T04:05:06Z  GenerateDataKeyPairWithoutPlaintext  -             0b7c                                  r-6                                   ok"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			e, err := present.ParseEvent(tc.event)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, e.Line()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := present.ParseEvent("{"); err == nil {
		t.Error("read half an event")
	}
}
