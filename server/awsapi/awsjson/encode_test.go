package awsjson_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/awsjson"
)

const keyARN = "arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// The answers of the KMS API Reference.
func TestAppend(t *testing.T) {
	tests := []struct {
		msg  proto.Message
		want string
	}{
		{&kmsv1.EnableKeyResponse{}, `{}`},
		{&kmsv1.ListKeysResponse{Truncated: proto.Bool(false)}, `{"Keys":[],"Truncated":false}`},
		{&kmsv1.CreateGrantRequest{}, `{}`},
		{&kmsv1.EncryptResponse{
			CiphertextBlob:      []byte{0xff, 0xfe},
			KeyId:               proto.String(keyARN),
			EncryptionAlgorithm: kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_SYMMETRIC_DEFAULT.Enum(),
		}, `{"CiphertextBlob":"//4=","KeyId":"` + keyARN + `","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`},
		{&kmsv1.DescribeKeyResponse{KeyMetadata: &kmsv1.KeyMetadata{
			AwsAccountId:      proto.String("111122223333"),
			CreationDate:      &timestamppb.Timestamp{Seconds: 1499288695, Nanos: 918_000_000},
			Enabled:           proto.Bool(false),
			Description:       proto.String(""),
			KeyState:          kmsv1.KeyState_KEY_STATE_PENDING_DELETION.Enum(),
			DeletionDate:      &timestamppb.Timestamp{Seconds: 1500000000},
			SigningAlgorithms: []kmsv1.SigningAlgorithmSpec{kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256},
		}}, `{"KeyMetadata":{"AWSAccountId":"111122223333","CreationDate":1499288695.918,"Enabled":false,"Description":"",` +
			`"KeyState":"PendingDeletion","DeletionDate":1500000000,"SigningAlgorithms":["ECDSA_SHA_256"]}}`},
		{&kmsv1.ListGrantsResponse{
			Truncated: proto.Bool(true),
			Grants: []*kmsv1.GrantListEntry{
				{Operations: []kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_RE_ENCRYPT_TO}},
				{Constraints: &kmsv1.GrantConstraints{EncryptionContextEquals: map[string]string{"b": "\"", "a": "1"}}},
			},
		}, `{"Grants":[{"Operations":["ReEncryptTo"]},{"Constraints":{"EncryptionContextEquals":{"a":"1","b":"\""}}}],"Truncated":true}`},
	}
	for _, test := range tests {
		if got := string(awsjson.Append([]byte("before "), planOf(t, test.msg), test.msg)); got != "before "+test.want {
			t.Errorf("got  %s\nwant before %s", got, test.want)
		}
	}
}

// An array that was too small has no secret in it afterwards, wherever it ended.
func TestAppendWipesWhatItOutgrows(t *testing.T) {
	msg := &kmsv1.GenerateDataKeyResponse{
		Plaintext:      bytes.Repeat([]byte("secret"), 5),
		CiphertextBlob: make([]byte, 100),
		KeyId:          proto.String("\x00\x01"),
	}
	plan := planOf(t, msg)
	want := awsjson.Append(nil, plan, msg)
	for size := 1; size < len(want); size++ {
		small := make([]byte, 0, size)
		got := awsjson.Append(small, plan, msg)
		if !bytes.Equal(got, want) {
			t.Fatalf("in %d bytes: %s", size, got)
		}
		if left := small[:size]; &got[0] != &left[:1][0] && !bytes.Equal(left, make([]byte, size)) {
			t.Fatalf("an array of %d bytes was left with %q", size, left)
		}
	}
}
