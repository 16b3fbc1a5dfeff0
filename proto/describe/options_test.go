package describe_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// The options that no operation uses yet work as well.

func TestOptionsOfMethods(t *testing.T) {
	api, err := compileChanged(t, func(f file) {
		f.methodRule("Encrypt", func(r *annotationsv1.MethodRule) {
			r.WireName = proto.String("Encipher")
			r.IamActions = []string{"EncipherFrom", "EncipherTo"}
		})
		f.message("ListKeysResponse").Field = nil
		f.methodRule("ListKeys", func(r *annotationsv1.MethodRule) {
			r.EmptyOutput = annotationsv1.EmptyOutput_EMPTY_OUTPUT_EMPTY_OBJECT.Enum()
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	m := api.Target("TrentService.Encipher")
	if m == nil || m != api.Method(kmsService+"Encrypt") {
		t.Fatal("the method is not known by its wire name")
	}
	if diff := cmp.Diff([]string{"kms:EncipherFrom", "kms:EncipherTo"}, m.Actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if got := api.Target("TrentService.ListKeys").EmptyOutput; got != annotationsv1.EmptyOutput_EMPTY_OUTPUT_EMPTY_OBJECT {
		t.Errorf("empty output = %v", got)
	}
}

// changedFields has limits on the entries of a map and the items of a list, a
// secret string, a name in events and a structure that contains itself.
func changedFields(t *testing.T) *describe.API {
	t.Helper()
	api, err := compileChanged(t, func(f file) {
		f.rule("EncryptRequest", "encryption_context", func(r *annotationsv1.FieldRule) {
			r.Size = &annotationsv1.Range{Min: proto.Int64(1), Max: proto.Int64(2)}
			r.MapKeySize = &annotationsv1.Range{Min: proto.Int64(1), Max: proto.Int64(4)}
			r.ItemSize = &annotationsv1.Range{Min: proto.Int64(0), Max: proto.Int64(3)}
		})
		f.rule("EncryptRequest", "grant_tokens", func(r *annotationsv1.FieldRule) {
			r.ItemPattern = proto.String("^[a-z]+$")
		})
		f.rule("EncryptRequest", "key_id", func(r *annotationsv1.FieldRule) {
			r.Event = &annotationsv1.EventRule{Name: proto.String("targetKeyId")}
		})
		f.rule("CreateKeyRequest", "description", func(r *annotationsv1.FieldRule) {
			r.Event = nil
			r.Size.Max = proto.Int64(5)
		})
		f.field("CreateKeyRequest", "description").Options.DebugRedact = proto.Bool(true)
		f.message("RecipientInfo").Field = append(f.message("RecipientInfo").Field, &descriptorpb.FieldDescriptorProto{
			Name:     proto.String("next"),
			Number:   proto.Int32(3),
			Type:     descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(),
			TypeName: proto.String(".strongroom.kms.v1.RecipientInfo"),
			Label:    descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// optionTest is a message in text form, and what is made of it.
type optionTest struct {
	name, message, text string
	wantEvent           string
	wantLog             string
	wantError           string // empty: valid
}

func optionTests() []optionTest {
	const refusedAt = "failed to satisfy constraint: "
	return []optionTest{
		{
			name:      "a name in events",
			message:   "EncryptRequest",
			text:      `key_id: "k" plaintext: "p"`,
			wantEvent: `{"targetKeyId":"k","encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
			wantLog:   `EncryptRequest{key_id: "k", plaintext: [redacted]}`,
		},
		{
			name:      "limits of a map",
			message:   "EncryptRequest",
			text:      `key_id: "" plaintext: "p" encryption_context {key: "long key" value: "v"} encryption_context {key: "b" value: "long"} encryption_context {key: "a" value: ""}`,
			wantEvent: `{"targetKeyId":"","encryptionContext":{"a":"","b":"long","long key":"v"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
			wantLog:   `EncryptRequest{key_id: "", plaintext: [redacted], encryption_context: {"a": "", "b": "long", "long key": "v"}}`,
			wantError: "4 validation errors detected: Value '' at 'keyId' " + refusedAt + "Member must have length greater than or equal to 1; " +
				"Value '{a=, b=long, long key=v}' at 'encryptionContext' " + refusedAt + "Member must have length less than or equal to 2; " +
				"Value '{a=, b=long, long key=v}' at 'encryptionContext' " + refusedAt + "Map keys must satisfy constraint: [Member must have length less than or equal to 4, Member must have length greater than or equal to 1]; " +
				"Value '{a=, b=long, long key=v}' at 'encryptionContext' " + refusedAt + "Map value must satisfy constraint: [Member must have length less than or equal to 3, Member must have length greater than or equal to 0]",
		},
		{
			name:      "a pattern of items",
			message:   "EncryptRequest",
			text:      `key_id: "k" plaintext: "p" grant_tokens: ["a", "B"]`,
			wantEvent: `{"targetKeyId":"k","encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
			wantLog:   `EncryptRequest{key_id: "k", plaintext: [redacted], grant_tokens: ["a", "B"]}`,
			wantError: "1 validation error detected: Value '[a, B]' at 'grantTokens' " + refusedAt + "Member must satisfy constraint: [Member must have length less than or equal to 8192, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^[a-z]+$]",
		},
		{
			name:      "a secret string",
			message:   "CreateKeyRequest",
			text:      `description: "secret" multi_region: true`,
			wantEvent: `{"keyUsage":"ENCRYPT_DECRYPT","customerMasterKeySpec":"SYMMETRIC_DEFAULT","keySpec":"SYMMETRIC_DEFAULT","origin":"AWS_KMS","bypassPolicyLockoutSafetyCheck":false,"multiRegion":true}`,
			wantLog:   `CreateKeyRequest{description: [redacted], multi_region: true}`,
			wantError: "1 validation error detected: Value at 'description' " + refusedAt + "Member must have length less than or equal to 5",
		},
		{
			name:      "a time",
			message:   "KeyMetadata",
			text:      `creation_date {seconds: 1634233190 nanos: 1}`,
			wantEvent: `{"creationDate":"Oct 14, 2021, 5:39:50 PM"}`,
			wantLog:   `KeyMetadata{creation_date: 2021-10-14T17:39:50.000000001Z}`,
		},
		{
			name:      "a structure that contains itself",
			message:   "RecipientInfo",
			text:      `next {next {attestation_document: "d"}}`,
			wantEvent: `{"next":{"next":{"attestationDocument":"ZA=="}}}`,
			wantLog:   `RecipientInfo{next: {next: {attestation_document: 1 bytes}}}`,
		},
	}
}

func TestOptionsOfFields(t *testing.T) {
	api := changedFields(t)
	for _, tt := range optionTests() {
		t.Run(tt.name, func(t *testing.T) {
			plan := api.Method(kmsService + "Encrypt").Request.Desc.ParentFile().Messages().ByName(protoreflect.Name(tt.message))
			msg := dynamicpb.NewMessage(plan)
			if err := prototext.Unmarshal([]byte(tt.text), msg); err != nil {
				t.Fatal(err)
			}
			m := api.Message(plan.FullName())
			checkJSON(t, "event", m.AppendEvent(nil, msg), tt.wantEvent)
			if got := api.Redact(msg); got != tt.wantLog {
				t.Errorf("Redact:\n got %s\nwant %s", got, tt.wantLog)
			}
			if diff := cmp.Diff(tt.wantError, errorText(m.Validate(msg))); diff != "" {
				t.Errorf("Validate (-want +got):\n%s", diff)
			}
		})
	}
}

// errorText is the text of a ValidationError, empty for none.
func errorText(err error) string {
	var invalid *describe.ValidationError
	if errors.As(err, &invalid) {
		return invalid.Error()
	}
	if err != nil {
		return "not a ValidationError: " + err.Error()
	}
	return ""
}
