package awscbor_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/awscbor"
)

func TestAppend(t *testing.T) {
	for _, test := range []struct {
		msg  proto.Message
		want string // as octets reads it
	}{
		{&kmsv1.ListKeysResponse{}, "a1 64'Keys' 80"},
		{&kmsv1.EncryptResponse{CiphertextBlob: []byte{0xff}, KeyId: new("k")}, "a2 6e'CiphertextBlob' 41 ff 65'KeyId' 61'k'"},
		{&kmsv1.DescribeKeyResponse{KeyMetadata: &kmsv1.KeyMetadata{
			CreationDate: &timestamppb.Timestamp{Seconds: 1, Nanos: 500_000_000}, Enabled: new(true), KeyState: kmsv1.KeyState_KEY_STATE_PENDING_DELETION.Enum(),
		}}, "a1 6b'KeyMetadata' a3 6c'CreationDate' c1 fb 3ff8000000000000 67'Enabled' f5 68'KeyState' 6f'PendingDeletion'"},
		{&cloudwatchv1.GetMetricStatisticsResponse{Label: new("m"), Datapoints: []*cloudwatchv1.Datapoint{{
			Sum: new(-1.5), ExtendedStatistics: map[string]float64{"p99": 2, "p50": 1},
		}}}, "a2 65'Label' 61'm' 6a'Datapoints' 81 a2 63'Sum' fb bff8000000000000 72'ExtendedStatistics' a2 63'p50' fb 3ff0000000000000 63'p99' fb 4000000000000000"},
	} {
		want := append([]byte("before"), octets(t, test.want)...)
		if got := awscbor.Append([]byte("before"), planOf(t, test.msg), test.msg); !bytes.Equal(got, want) {
			t.Errorf("got  %x\nwant %x", got, want)
		}
	}
}

func TestAppendError(t *testing.T) {
	for name, test := range map[string]struct{ got, want []byte }{
		"with a message": {awscbor.AppendError(nil, "E", "why"), octets(t, "a2 66'__type' 61'E' 67'message' 63'why'")},
		"without":        {awscbor.AppendError(nil, "E", ""), octets(t, "a1 66'__type' 61'E'")},
	} {
		if !bytes.Equal(test.got, test.want) {
			t.Errorf("%s: got %x, want %x", name, test.got, test.want)
		}
	}
}

// An array that was too small has no secret in it afterwards, wherever it ended.
func TestAppendWipesWhatItOutgrows(t *testing.T) {
	msg := &kmsv1.GenerateDataKeyResponse{Plaintext: bytes.Repeat([]byte("secret"), 5), CiphertextBlob: make([]byte, 100), KeyId: new("\x00\x01")}
	plan := planOf(t, msg)
	want := awscbor.Append(nil, plan, msg)
	for size := 1; size < len(want); size++ {
		small := make([]byte, 0, size)
		got := awscbor.Append(small, plan, msg)
		if !bytes.Equal(got, want) {
			t.Fatalf("in %d bytes: %x", size, got)
		}
		if left := small[:size]; &got[0] != &left[0] && !bytes.Equal(left, make([]byte, size)) {
			t.Fatalf("an array of %d bytes was left with %q", size, left)
		}
	}
}
