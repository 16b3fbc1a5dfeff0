package awscbor_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/proto/describe"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/awscbor"
)

// octets reads hexadecimal, in which 'text' stands for its octets.
func octets(t testing.TB, text string) []byte {
	t.Helper()
	var hexadecimal strings.Builder
	for i, part := range strings.Split(text, "'") {
		if i%2 == 1 {
			part = hex.EncodeToString([]byte(part))
		}
		hexadecimal.WriteString(strings.ReplaceAll(part, " ", ""))
	}
	b, err := hex.DecodeString(hexadecimal.String())
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return b
}

type decodeTest struct {
	name string
	body string // as octets reads it
	want proto.Message
}

// validTo is a request with a time.
func validTo(seconds int64, nanos int32) proto.Message {
	return &kmsv1.ImportKeyMaterialRequest{ValidTo: &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos}}
}

func decodeTests() []decodeTest {
	limit := func(n int32) proto.Message { return &kmsv1.ListKeysRequest{Limit: &n} }
	return []decodeTest{
		{"a blob and text", "a2 69'Plaintext' 43'abc' 65'KeyId' 61'k'", &kmsv1.EncryptRequest{Plaintext: []byte("abc"), KeyId: new("k")}},
		{"a list, an enum and a boolean", "a3 64'Tags' 81 a2 66'TagKey' 61'k' 68'TagValue' 60 67'KeySpec' 68'RSA_4096' 6b'MultiRegion' f4",
			&kmsv1.CreateKeyRequest{Tags: []*kmsv1.Tag{{TagKey: new("k"), TagValue: new("")}}, KeySpec: kmsv1.KeySpec_KEY_SPEC_RSA_4096.Enum(), MultiRegion: new(false)}},
		{"a map", "a1 71'EncryptionContext' a2 61'a' 61'1' 61'b' 60", &kmsv1.EncryptRequest{EncryptionContext: map[string]string{"a": "1", "b": ""}}},
		{"indefinite lengths", "bf 69'Plaintext' 5f 41'a' 42'bc' ff 65'KeyId' 7f 61'k' 60 61'2' ff 6b'GrantTokens' 9f 61'x' ff 71'EncryptionContext' bf 61'a' 61'1' ff ff",
			&kmsv1.EncryptRequest{Plaintext: []byte("abc"), KeyId: new("k2"), GrantTokens: []string{"x"}, EncryptionContext: map[string]string{"a": "1"}}},
		{"no octets", "", &kmsv1.ListKeysRequest{}},
		{"no members", "a0", &kmsv1.ListKeysRequest{}},
		{"no members, of indefinite length", "bf ff", &kmsv1.ListKeysRequest{}},
		{"null and undefined are absent", "a2 65'Limit' f6 66'Marker' f7", &kmsv1.ListKeysRequest{}},
		{"null is absent, of any type", "a3 64'Tags' f6 67'KeySpec' f6 6b'MultiRegion' f6", &kmsv1.CreateKeyRequest{}},
		{"unknown members", "a3 65'limit' 01 61'X' a1 65'Limit' 82 03 c0 60 65'Limit' 07", limit(7)},
		{"an integer in more octets than it needs", "a1 65'Limit' 1b 0000000000000007", limit(7)},
		{"the least integer", "a1 65'Limit' 3a 7fffffff", limit(-1 << 31)},
		{"the greatest", "a1 65'Limit' 1a 7fffffff", limit(1<<31 - 1)},
		{"an empty blob", "a1 69'Plaintext' 40", &kmsv1.EncryptRequest{Plaintext: []byte{}}},
		{"an empty list and map", "a2 6b'GrantTokens' 80 71'EncryptionContext' a0", &kmsv1.EncryptRequest{}},
		{"an empty structure", "a1 6b'Constraints' a0", &kmsv1.CreateGrantRequest{Constraints: &kmsv1.GrantConstraints{}}},
		{"a time", "a1 67'ValidTo' c1 fb 41d657551dfac083", validTo(1499288695, 918_000_000)},
		{"a time in whole seconds", "a1 67'ValidTo' c1 1a 595d55b7", validTo(1499289015, 0)},
		{"a time before 1970", "a1 67'ValidTo' c1 20", validTo(-1, 0)},
		{"a time in half precision", "a1 67'ValidTo' c1 f9 3e00", validTo(1, 500_000_000)},
		{"members in small letters", "a1 6c'logGroupName' 61'g'", &logsv1.GetLogEventsRequest{LogGroupName: new("g")}},
		{"floats of each size, and an integer", "a1 71'MetricDataResults' 81 a1 66'Values' 84 f9 3c00 fa 3fc00000 fb 3ff4000000000000 02",
			&cloudwatchv1.GetMetricDataResponse{MetricDataResults: []*cloudwatchv1.MetricDataResult{{Values: []float64{1, 1.5, 1.25, 2}}}}},
		{"times in a list", "a1 71'MetricDataResults' 81 a1 6a'Timestamps' 82 c1 00 c1 01", &cloudwatchv1.GetMetricDataResponse{
			MetricDataResults: []*cloudwatchv1.MetricDataResult{{Timestamps: []*timestamppb.Timestamp{{}, {Seconds: 1}}}}}},
		{"floats in a map", "a1 6a'Datapoints' 81 a1 72'ExtendedStatistics' a1 63'p99' fb 3ff8000000000000",
			&cloudwatchv1.GetMetricStatisticsResponse{Datapoints: []*cloudwatchv1.Datapoint{{ExtendedStatistics: map[string]float64{"p99": 1.5}}}}},
	}
}

func TestDecode(t *testing.T) {
	decoder := newDecoder(t)
	for _, test := range decodeTests() {
		plan := planOf(t, test.want)
		got := newMessage(t, plan)
		if err := decoder.Decode(plan, octets(t, test.body), got); err != nil || !proto.Equal(got, test.want) {
			t.Errorf("%s: got %v, %v, want %v", test.name, got, err, test.want)
		}
	}
}

type refusal struct {
	name, body, want string
	into             proto.Message
}

func refusals() []refusal {
	key, create, encrypt, imported, grant := &kmsv1.ListKeysRequest{}, &kmsv1.CreateKeyRequest{}, &kmsv1.EncryptRequest{}, &kmsv1.ImportKeyMaterialRequest{}, &kmsv1.CreateGrantRequest{}
	const malformed, twice = "The request body is not valid CBOR.", "The request body has a member twice."
	return []refusal{
		{"no map", "80", "The request body is not a CBOR map.", key},
		{"null", "f6", "The request body is not a CBOR map.", key},
		{"a tagged map", "d9d9f7 a0", "The request body is not a CBOR map.", key},
		{"JSON", "'{}'", malformed, key},
		{"cut off", "a1 65'Limit'", malformed, key},
		{"a length beyond the end", "bb ffffffffffffffff", malformed, key},
		{"an unassigned form", "a1 65'Limit' 1c", malformed, key},
		{"something behind its end", "a0 a0", "The request body goes on behind its end.", key},
		{"a member twice", "a2 65'Limit' 01 65'Limit' 02", twice, key},
		{"a member twice, of indefinite length", "bf 65'Limit' 01 65'Limit' 02 ff", twice, key},
		{"a member twice, once in pieces", "a2 65'Limit' 01 7f 63'Lim' 62'it' ff 02", twice, key},
		{"an entry twice", "a1 71'EncryptionContext' a2 61'a' 61'1' 61'a' 61'2'", twice, encrypt},
		{"a key of octets", "a1 45'Limit' 01", "The request body has a key that is not text.", key},
		{"a key that is a number", "a1 01 02", "The request body has a key that is not text.", key},
		{"a key that is not UTF-8", "a1 61 ff 02", malformed, key},
		{"too deep", "a1 61'X' " + strings.Repeat("81", 30) + "00", "The request body is nested deeper than 24 levels.", key},
		{"text for an integer", "a1 65'Limit' 61'7'", "The value of Limit is not an integer of 32 bits.", key},
		{"a float for an integer", "a1 65'Limit' f9 4700", "The value of Limit is not an integer of 32 bits.", key},
		{"an integer that is too great", "a1 65'Limit' 1a 80000000", "The value of Limit is not an integer of 32 bits.", key},
		{"a bignum", "a1 65'Limit' c2 41 07", "The value of Limit is not an integer of 32 bits.", key},
		{"octets for text", "a1 66'Marker' 41'm'", "The value of Marker is not a string.", key},
		{"text that is not UTF-8", "a1 66'Marker' 61 ff", "The value of Marker is not a string.", key},
		{"text for octets", "a1 69'Plaintext' 61'p'", "The value of Plaintext is not a blob.", encrypt},
		{"an array for octets", "a1 69'Plaintext' 81 01", "The value of Plaintext is not a blob.", encrypt},
		{"a number for a boolean", "a1 6b'MultiRegion' 01", "The value of MultiRegion is not a boolean.", create},
		{"a number for an enum", "a1 67'KeySpec' 01", "The value of KeySpec is not a string.", create},
		{"a map for a list", "a1 64'Tags' a0", "The value of Tags is not a list.", create},
		{"null in a list", "a1 64'Tags' 81 f6", "The value of Tags is not a structure.", create},
		{"null in a list of text", "a1 6b'GrantTokens' 81 f6", "The value of GrantTokens is not a string.", encrypt},
		{"null in a map", "a1 71'EncryptionContext' a1 61'a' f6", "The value of EncryptionContext is not a string.", encrypt},
		{"a list for a map", "a1 71'EncryptionContext' 80", "The value of EncryptionContext is not a map.", encrypt},
		{"a list for a structure", "a1 6b'Constraints' 80", "The value of Constraints is not a structure.", grant},
		{"a time without its tag", "a1 67'ValidTo' 1a 595d55b7", "The value of ValidTo is not a timestamp.", imported},
		{"a time as text", "a1 67'ValidTo' c0 74'2017-07-05T20:36:55Z'", "The value of ValidTo is not a timestamp.", imported},
		{"a time that is text", "a1 67'ValidTo' c1 61'1'", malformed, imported},
		{"a time that is no number", "a1 67'ValidTo' c1 f9 7e00", "The value of ValidTo is not a timestamp.", imported},
		{"a time without end", "a1 67'ValidTo' c1 f9 7c00", "The value of ValidTo is not a timestamp.", imported},
		{"a time after the year 9999", "a1 67'ValidTo' c1 1b 0000003afff44180", "The value of ValidTo is not a timestamp.", imported},
		{"a tag on text", "a1 66'Marker' c0 61'm'", "The value of Marker is not a string.", key},
	}
}

func TestDecodeRefuses(t *testing.T) {
	decoder := newDecoder(t)
	for _, test := range refusals() {
		plan := planOf(t, test.into)
		err := decoder.Decode(plan, octets(t, test.body), newMessage(t, plan))
		refused, ok := errors.AsType[*awscbor.Error](err)
		if !ok || refused.Message != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	if err := decoder.Decode(planOf(t, &kmsv1.ListKeysRequest{}), nil, new(kmsv1.EncryptRequest)); err == nil {
		t.Error("a message of another type is read")
	}
}

// A spelling that the model does not have is for the validation, which shows it.
func TestDecodeAnUnknownSpelling(t *testing.T) {
	msg := new(kmsv1.CreateKeyRequest)
	plan := planOf(t, msg)
	if err := newDecoder(t).Decode(plan, octets(t, "a1 67'KeySpec' 65'ROT13'"), msg); err != nil {
		t.Fatal(err)
	}
	invalid, ok := errors.AsType[*describe.ValidationError](plan.Validate(msg))
	if !ok || !strings.Contains(invalid.Error(), "Value 'ROT13' at 'keySpec'") {
		t.Errorf("got %v", invalid)
	}
}
