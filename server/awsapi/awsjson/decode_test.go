package awsjson_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/awsjson"
)

type decodeTest struct {
	name string
	body string
	want proto.Message
}

// The first ones are the requests of the KMS API Reference.
func decodeTests() []decodeTest {
	return []decodeTest{
		{"Encrypt", `{"Plaintext": "bXkgcGxhaW50ZXh0", "KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}`,
			&kmsv1.EncryptRequest{Plaintext: []byte("my plaintext"), KeyId: proto.String("1234abcd-12ab-34cd-56ef-1234567890ab")}},
		{"CreateKey", `{"Tags": [{"TagValue": "2015-05", "TagKey": "CreatedBy"}, {"TagKey": "k", "TagValue": ""}], "KeySpec": "RSA_4096", "BypassPolicyLockoutSafetyCheck": false}`,
			&kmsv1.CreateKeyRequest{
				Tags: []*kmsv1.Tag{
					{TagKey: proto.String("CreatedBy"), TagValue: proto.String("2015-05")},
					{TagKey: proto.String("k"), TagValue: proto.String("")},
				},
				KeySpec:                        kmsv1.KeySpec_KEY_SPEC_RSA_4096.Enum(),
				BypassPolicyLockoutSafetyCheck: proto.Bool(false),
			}},
		{"CreateGrant", `{"Operations": ["Encrypt", "GenerateDataKey"], "Constraints": {"EncryptionContextSubset": {"Department": "IT"}}}`,
			&kmsv1.CreateGrantRequest{
				Operations:  []kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT, kmsv1.GrantOperation_GRANT_OPERATION_GENERATE_DATA_KEY},
				Constraints: &kmsv1.GrantConstraints{EncryptionContextSubset: map[string]string{"Department": "IT"}},
			}},
		{"no octets", ``, &kmsv1.ListKeysRequest{}},
		{"white space", " \r\n\t", &kmsv1.ListKeysRequest{}},
		{"no members", ` {} `, &kmsv1.ListKeysRequest{}},
		{"null is absent", `{"Limit": null, "Marker": null}`, &kmsv1.ListKeysRequest{}},
		{"null is absent, of any type", `{"Tags": null, "KeySpec": null, "MultiRegion": null}`, &kmsv1.CreateKeyRequest{}},
		{"unknown members", `{"limit": 1, "Limit ": 2, "X": {"Limit": [3, {}]}, "Limit": 7}`, &kmsv1.ListKeysRequest{Limit: proto.Int32(7)}},
		{"a name in escapes", `{"\u004cimit": 7}`, &kmsv1.ListKeysRequest{Limit: proto.Int32(7)}},
		{"integers however written", `{"Limit": 7.00e0}`, &kmsv1.ListKeysRequest{Limit: proto.Int32(7)}},
		{"an exponent", `{"Limit": 1e2}`, &kmsv1.ListKeysRequest{Limit: proto.Int32(100)}},
		{"a negative exponent", `{"Limit": 1200E-2}`, &kmsv1.ListKeysRequest{Limit: proto.Int32(12)}},
		{"minus nothing", `{"Limit": -0}`, &kmsv1.ListKeysRequest{Limit: proto.Int32(0)}},
		{"the least integer", `{"Limit": -2147483648}`, &kmsv1.ListKeysRequest{Limit: proto.Int32(-1 << 31)}},
		{"escapes in a string", `{"Marker": "\u00e9\n\ud83d\udd11\/"}`, &kmsv1.ListKeysRequest{Marker: proto.String("é\n🔑/")}},
		{"an empty blob", `{"Plaintext": ""}`, &kmsv1.EncryptRequest{Plaintext: []byte{}}},
		{"a blob with escaped slashes", `{"Plaintext": "\/\/8="}`, &kmsv1.EncryptRequest{Plaintext: []byte{0xff, 0xff}}},
		{"an empty list and map", `{"GrantTokens": [], "EncryptionContext": {}}`, &kmsv1.EncryptRequest{}},
		{"an empty structure", `{"Constraints": {}}`, &kmsv1.CreateGrantRequest{Constraints: &kmsv1.GrantConstraints{}}},
		{"a time as Java writes it", `{"ValidTo": 1.499288695918E9}`, validTo(1499288695, 918_000_000)},
		{"a whole second", `{"ValidTo": 1499288695}`, validTo(1499288695, 0)},
		{"less than a millisecond", `{"ValidTo": 0.1234567899}`, validTo(0, 123_000_000)},
		{"less than a millisecond before 1970", `{"ValidTo": -0.0009}`, validTo(0, 0)},
		{"before 1970", `{"ValidTo": -0.25}`, validTo(-1, 750_000_000)},
	}
}

func validTo(seconds int64, nanos int32) *kmsv1.ImportKeyMaterialRequest {
	return &kmsv1.ImportKeyMaterialRequest{ValidTo: &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos}}
}

func TestDecode(t *testing.T) {
	for _, test := range decodeTests() {
		plan := planOf(t, test.want)
		got := newMessage(t, plan)
		if err := awsjson.Decode(plan, []byte(test.body), got); err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if !proto.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

type refusal struct {
	body string
	into proto.Message
	want string
}

func refusals() []refusal {
	const (
		noObject  = "The request body is not a JSON object."
		structure = "Start of structure or map found where not expected."
		list      = "Start of list found where not expected"
		noBlob    = "STRING_VALUE can not be converted to a Blob: "
		noTime    = " can not be converted to milliseconds since epoch"
	)
	var (
		keys    = &kmsv1.ListKeysRequest{}
		encrypt = &kmsv1.EncryptRequest{}
		create  = &kmsv1.CreateKeyRequest{}
		grant   = &kmsv1.CreateGrantRequest{}
		imports = &kmsv1.ImportKeyMaterialRequest{}
	)
	return []refusal{
		{`[]`, keys, noObject},
		{`null`, keys, noObject},
		{`"{}"`, keys, noObject},
		{`{"Marker": 7}`, keys, "NUMBER_VALUE can not be converted to a String"},
		{`{"Marker": true}`, keys, "TRUE_VALUE can not be converted to a String"},
		{`{"Marker": {}}`, keys, structure},
		{`{"Marker": []}`, keys, list},
		{`{"Limit": "7"}`, keys, "STRING_VALUE can not be converted to an Integer"},
		{`{"Limit": false}`, keys, "FALSE_VALUE can not be converted to an Integer"},
		{`{"Limit": 7.5}`, keys, "NUMBER_VALUE can not be converted to an Integer"},
		{`{"Limit": 2147483648}`, keys, "NUMBER_VALUE can not be converted to an Integer"},
		{`{"Limit": 1e999999999999}`, keys, "NUMBER_VALUE can not be converted to an Integer"},
		{`{"MultiRegion": "true"}`, create, "STRING_VALUE can not be converted to a Boolean"},
		{`{"MultiRegion": 1}`, create, "NUMBER_VALUE can not be converted to a Boolean"},
		{`{"KeySpec": 1}`, create, "NUMBER_VALUE can not be converted to a String"},
		{`{"Tags": {}}`, create, structure},
		{`{"Tags": "k"}`, create, "Expected list or null"},
		{`{"Tags": [1]}`, create, "Expected null"},
		{`{"Tags": [[]]}`, create, list},
		{`{"Tags": [null]}`, create, "NULL_VALUE can not be converted to a Structure"},
		{`{"Constraints": []}`, grant, list},
		{`{"Constraints": "c"}`, grant, "Expected null"},
		{`{"GrantTokens": [null]}`, grant, "NULL_VALUE can not be converted to a String"},
		{`{"Operations": [["Encrypt"]]}`, grant, list},
		{`{"EncryptionContext": []}`, encrypt, list},
		{`{"EncryptionContext": 7}`, encrypt, "Expected map or null"},
		{`{"EncryptionContext": {"k": null}}`, encrypt, "NULL_VALUE can not be converted to a String"},
		{`{"EncryptionContext": {"k": 7}}`, encrypt, "NUMBER_VALUE can not be converted to a String"},
		{`{"Plaintext": 7}`, encrypt, "NUMBER_VALUE can not be converted to a Blob"},
		{`{"Plaintext": "23456"}`, encrypt, noBlob + "Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
		{`{"Plaintext": "YWI"}`, encrypt, noBlob + "Base64 encoded length is expected a multiple of 4 bytes but found: 3"},
		{`{"Plaintext": "=+/="}`, encrypt, noBlob + "Invalid Base64 character"},
		{`{"Plaintext": "YW-_"}`, encrypt, noBlob + "Invalid Base64 character"},
		{`{"Plaintext": "YW\r\n"}`, encrypt, noBlob + "Invalid Base64 character"},
		{`{"Plaintext": "YWJj\n\n\n\n"}`, encrypt, noBlob + "Invalid Base64 character"},
		{`{"Plaintext": "+/+="}`, encrypt, noBlob + "Invalid last non-pad Base64 character"},
		{`{"ValidTo": "2026-01-02T03:04:05Z"}`, imports, "STRING_VALUE" + noTime},
		{`{"ValidTo": 253402300800}`, imports, "NUMBER_VALUE" + noTime},
		{`{"ValidTo": 1e64}`, imports, "NUMBER_VALUE" + noTime},
		{`{"ValidTo": 1e65}`, imports, "NUMBER_VALUE" + noTime},
		{`{"Limit": 1, "\u004cimit": 2}`, keys, "The request body has a member twice."},
		{`{"EncryptionContext": {"k": "a", "k": "b"}}`, encrypt, "The request body has a member twice."},
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range refusals() {
		plan := planOf(t, test.into)
		err := awsjson.Decode(plan, []byte(test.body), newMessage(t, plan))
		var refused *awsjson.Error
		if !errors.As(err, &refused) || refused.Message != test.want {
			t.Errorf("%s: error %v, want %q", test.body, err, test.want)
		}
	}
}

// Where the text breaks off or goes wrong, the error says that it is no JSON.
func TestDecodeRefusesWhatIsNotJSON(t *testing.T) {
	const whole = `{"KeyId": "k", "GrantTokens": ["t", "u"], "EncryptionContext": {"a": "b"}, "DryRun": true, "X": [0.5, {"y": "z"}]}`
	bodies := []string{
		whole + "x", whole + whole, "{,}", `{"KeyId"}`, `{"KeyId": }`, `{"KeyId": "k",}`, `{"GrantTokens": ["t",]}`, `{"GrantTokens": [,]}`,
		`{KeyId: "k"}`, `{'KeyId': 'k'}`, "{\"KeyId\": \"\xff\"}", `{"KeyId": "\ud800"}`, "{\"KeyId\": \"\n\"}", `{"DryRun": True}`, `{"X": 01}`, "\ufeff{}",
		`{"X": ` + strings.Repeat("[", 1e5),
	}
	for end := 1; end < len(whole); end++ {
		bodies = append(bodies, whole[:end])
	}
	plan := planOf(t, &kmsv1.EncryptRequest{})
	for _, body := range bodies {
		err := awsjson.Decode(plan, []byte(body), &kmsv1.EncryptRequest{})
		var refused *awsjson.Error
		if !errors.As(err, &refused) || !strings.HasPrefix(refused.Message, "The request body is not valid JSON") {
			t.Errorf("%.100q: error %v", body, err)
		}
	}
}

// What a spelling should have been is said with all else that is wrong.
func TestUnknownSpellingsAreReported(t *testing.T) {
	const body = `{"Plaintext": "", "EncryptionAlgorithm": "ROT13"}`
	const want = "3 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; " +
		"Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
		"Value 'ROT13' at 'encryptionAlgorithm' failed to satisfy constraint: " +
		"Member must satisfy enum value set: [SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE]"
	request := &kmsv1.EncryptRequest{}
	plan := planOf(t, request)
	if err := awsjson.Decode(plan, []byte(body), request); err != nil {
		t.Fatal(err)
	}
	if got := plan.Validate(request); got == nil || got.Error() != want {
		t.Errorf("Validate = %v, want %s", got, want)
	}
}

func TestDecodeIntoAnotherMessage(t *testing.T) {
	if err := awsjson.Decode(planOf(t, &kmsv1.EncryptRequest{}), []byte("{}"), &kmsv1.DecryptRequest{}); err == nil {
		t.Error("decoded a request into another one")
	}
}

// Whoever has the text may wipe it; the message keeps what it says.
func TestTheTextMayBeWiped(t *testing.T) {
	body := []byte(`{"KeyId": "k", "Plaintext": "c2VjcmV0"}`)
	request := &kmsv1.EncryptRequest{}
	if err := awsjson.Decode(planOf(t, request), body, request); err != nil {
		t.Fatal(err)
	}
	clear(body)
	if !bytes.Equal(request.GetPlaintext(), []byte("secret")) || request.GetKeyId() != "k" {
		t.Errorf("the message became %v", request)
	}
}
