package describe_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

const (
	detected   = "1 validation error detected: "
	neitherNor = "Please specify either number of bytes or key spec."
)

type validateTest struct {
	name string
	msg  proto.Message
	want string // empty: valid
}

// ok is a row of a message that is valid.
func ok(name string, msg proto.Message) validateTest { return validateTest{name, msg, ""} }

// refused is a row of a message that is not, with the whole text.
func refused(name string, msg proto.Message, want string) validateTest {
	return validateTest{name, msg, want}
}

func encryptRequest(keyID string, plaintext int) *kmsv1.EncryptRequest {
	return &kmsv1.EncryptRequest{KeyId: proto.String(keyID), Plaintext: make([]byte, plaintext)}
}

func presenceTests() []validateTest {
	return []validateTest{
		ok("nothing is required", &kmsv1.CreateKeyRequest{}),
		ok("an answer", &kmsv1.CreateKeyResponse{KeyMetadata: metadata()}),
		refused("a member is missing", &kmsv1.DescribeKeyRequest{},
			detected+"Value null at 'keyId' failed to satisfy constraint: Member must not be null"),
		refused("two members are missing", &kmsv1.EncryptRequest{},
			"2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; Value null at 'plaintext' failed to satisfy constraint: Member must not be null"),
		refused("a member of a structure in a list is missing",
			&kmsv1.CreateKeyRequest{Tags: []*kmsv1.Tag{
				{TagKey: proto.String("k"), TagValue: proto.String("")},
				{TagValue: proto.String("v")},
			}},
			detected+"Value null at 'tags.2.member.tagKey' failed to satisfy constraint: Member must not be null"),
		ok("one of the two", &kmsv1.GenerateDataKeyRequest{KeyId: proto.String(keyID), NumberOfBytes: proto.Int32(32)}),
		refused("neither of the two", &kmsv1.GenerateDataKeyRequest{KeyId: proto.String(keyID)}, neitherNor),
		refused("both of the two", &kmsv1.GenerateDataKeyWithoutPlaintextRequest{
			KeyId: proto.String(keyID), NumberOfBytes: proto.Int32(32), KeySpec: kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_128.Enum(),
		}, neitherNor),
		refused("random bytes, but not how many", &kmsv1.GenerateRandomRequest{}, neitherNor),
		refused("a bad member comes before members that do not go together", &kmsv1.GenerateDataKeyRequest{},
			detected+"Value null at 'keyId' failed to satisfy constraint: Member must not be null"),
		ok("one name of the key spec", &kmsv1.CreateKeyRequest{KeySpec: kmsv1.KeySpec_KEY_SPEC_SM2.Enum()}),
		refused("both names of the key spec", &kmsv1.CreateKeyRequest{
			KeySpec:               kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT.Enum(),
			CustomerMasterKeySpec: kmsv1.CustomerMasterKeySpec_CUSTOMER_MASTER_KEY_SPEC_SYMMETRIC_DEFAULT.Enum(),
		}, "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated."),
	}
}

func limitTests() []validateTest {
	long := strings.Repeat("k", 2049)
	return []validateTest{
		ok("the least", encryptRequest("k", 1)),
		ok("the most", encryptRequest(long[:2048], 4096)),
		ok("characters, not bytes", encryptRequest(strings.Repeat("ü", 2048), 1)),
		refused("an empty string", encryptRequest("", 1),
			detected+"Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1"),
		refused("a long string, which is cut", encryptRequest(long, 1),
			detected+"Value '"+long[:256]+"...' at 'keyId' failed to satisfy constraint: Member must have length less than or equal to 2048"),
		refused("no plaintext: the value of a secret is not shown", encryptRequest("k", 0),
			detected+"Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1"),
		refused("too much plaintext", encryptRequest("k", 4097),
			detected+"Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"),
		refused("too much ciphertext", &kmsv1.DecryptRequest{CiphertextBlob: make([]byte, 6145)},
			detected+"Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length less than or equal to 6144"),
		refused("too small a number", &kmsv1.ListKeysRequest{Limit: proto.Int32(0)},
			detected+"Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"),
		refused("too great a number", &kmsv1.GenerateRandomRequest{NumberOfBytes: proto.Int32(1025)},
			detected+"Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024"),
		refused("too many items", &kmsv1.DescribeKeyRequest{KeyId: proto.String("k"), GrantTokens: strings.Split("abcdefghijk", "")},
			detected+"Value '[a, b, c, d, e, f, g, h, i, j, k]' at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 10"),
		refused("bad items are one violation", &kmsv1.DescribeKeyRequest{KeyId: proto.String("k"), GrantTokens: []string{"", "a", ""}},
			detected+"Value '[, a, ]' at 'grantTokens' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 8192, Member must have length greater than or equal to 1]"),
		refused("a structure's member", &kmsv1.GenerateRandomRequest{
			NumberOfBytes: proto.Int32(1), Recipient: &kmsv1.RecipientInfo{AttestationDocument: []byte{}},
		}, detected+"Value at 'recipient.attestationDocument' failed to satisfy constraint: Member must have length greater than or equal to 1"),
		refused("the operator service", &operatorv1.StreamEventsRequest{Last: proto.Int32(-1)},
			detected+"Value '-1' at 'last' failed to satisfy constraint: Member must have value greater than or equal to 1"),
	}
}

func formTests() []validateTest {
	return []validateTest{
		ok("a pattern", &kmsv1.CreateKeyRequest{Policy: proto.String("{\r\n\t}\u00ff")}),
		refused("a pattern with Java's escapes", &kmsv1.CreateKeyRequest{Policy: proto.String("{\u0100}")},
			detected+"Value '{\u0100}' at 'policy' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"),
		refused("the whole must match", &kmsv1.CreateKeyRequest{XksKeyId: proto.String("a b")},
			detected+"Value 'a b' at 'xksKeyId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9-_.]+$"),
		refused("a line end is no end", &kmsv1.CreateKeyRequest{XksKeyId: proto.String("a\n")},
			detected+"Value 'a\n' at 'xksKeyId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9-_.]+$"),
		refused("two constraints", &kmsv1.CreateKeyRequest{XksKeyId: proto.String("")},
			"2 validation errors detected: Value '' at 'xksKeyId' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'xksKeyId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9-_.]+$"),
		refused("an unknown enum number", &kmsv1.GenerateDataKeyRequest{KeyId: proto.String("k"), KeySpec: kmsv1.DataKeySpec(9).Enum()},
			detected+"Value '9' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]"),
		refused("the unspecified value of an enum", &kmsv1.GenerateDataKeyRequest{KeyId: proto.String("k"), KeySpec: kmsv1.DataKeySpec_DATA_KEY_SPEC_UNSPECIFIED.Enum()},
			detected+"Value '0' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]"),
		refused("an unknown enum number in a list", &kmsv1.DecryptRequest{CiphertextBlob: []byte("b"), DryRunModifiers: []kmsv1.DryRunModifierType{1, 7}},
			detected+"Value '[IGNORE_CIPHERTEXT, 7]' at 'dryRunModifiers' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [IGNORE_CIPHERTEXT]]"),
		ok("any encryption context", &kmsv1.DecryptRequest{CiphertextBlob: []byte("b"), EncryptionContext: map[string]string{"": strings.Repeat("v", 9000)}}),
	}
}

func TestValidate(t *testing.T) {
	api := compiled(t)
	for _, group := range [][]validateTest{presenceTests(), limitTests(), formTests()} {
		for _, tt := range group {
			t.Run(tt.name, func(t *testing.T) {
				err := planOf(t, api, tt.msg).Validate(tt.msg)
				if tt.want == "" {
					if err != nil {
						t.Fatalf("Validate = %v, want no error", err)
					}
					return
				}
				var invalid *describe.ValidationError
				if !errors.As(err, &invalid) {
					t.Fatalf("Validate = %v, want a ValidationError", err)
				}
				if diff := cmp.Diff(tt.want, invalid.Error()); diff != "" {
					t.Errorf("text (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestValidateBoundsItsText(t *testing.T) {
	bad := &kmsv1.CreateKeyRequest{}
	for range 1000 {
		bad.Tags = append(bad.Tags, &kmsv1.Tag{TagKey: proto.String(strings.Repeat("k", 10000))})
	}
	err := planOf(t, compiled(t), bad).Validate(bad)
	if err == nil || !strings.HasPrefix(err.Error(), "8 validation errors detected: ") || len(err.Error()) > 4096 {
		t.Errorf("Validate = %d bytes, beginning %.60q", len(err.Error()), err)
	}
}

func TestValidateRefusesAnotherType(t *testing.T) {
	err := planOf(t, compiled(t), &kmsv1.EncryptRequest{}).Validate(timestamppb.Now())
	var invalid *describe.ValidationError
	if err == nil || errors.As(err, &invalid) {
		t.Errorf("Validate of another type = %v, want an error that is no ValidationError", err)
	}
}

func TestQuoteCutsBetweenCharacters(t *testing.T) {
	got := describe.Quote(strings.Repeat("€", 100))
	if want := "'" + strings.Repeat("€", 85) + "...'"; got != want {
		t.Errorf("Quote = %s, want %s", got, want)
	}
}
