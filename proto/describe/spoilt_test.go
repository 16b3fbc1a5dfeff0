package describe_test

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// spoilt is a change for the worse, and what Compile says to it.
type spoilt struct {
	want  string // in the error
	spoil func(file)
}

// spoiltMethods are services and methods with bad rules.
func spoiltMethods() []spoilt {
	return []spoilt{
		{"KeyManagementService: event_source is missing", func(f file) {
			f.serviceRule(func(r *annotationsv1.ServiceRule) { r.EventSource = nil })
		}},
		{"KeyManagementService: iam_prefix is missing", func(f file) {
			f.serviceRule(func(r *annotationsv1.ServiceRule) { r.IamPrefix = nil })
		}},
		{"KeyManagementService: target_prefix needs json_version", func(f file) {
			f.serviceRule(func(r *annotationsv1.ServiceRule) { r.SigningName = nil })
		}},
		{"KeyManagementService.Encrypt: does not declare the service's validation_error", func(f file) {
			f.serviceRule(func(r *annotationsv1.ServiceRule) {
				r.ValidationError = annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER.Enum()
			})
		}},
		{"KeyManagementService.Encrypt: resource is missing", func(f file) {
			f.methodRule("Encrypt", func(r *annotationsv1.MethodRule) { r.Resource = nil })
		}},
		{"KeyManagementService.Encrypt: quota is missing", func(f file) {
			f.methodRule("Encrypt", func(r *annotationsv1.MethodRule) { r.Quota = nil })
		}},
	}
}

// spoiltContradictions are methods whose rules contradict each other.
func spoiltContradictions() []spoilt {
	return []spoilt{
		{`KeyManagementService.ListKeys: wire name "DescribeKey" is taken`, func(f file) {
			f.methodRule("ListKeys", func(r *annotationsv1.MethodRule) { r.WireName = proto.String("DescribeKey") })
		}},
		{"KeyManagementService.ListKeys: streams requests", func(f file) {
			f.method("ListKeys").ClientStreaming = proto.Bool(true)
		}},
		{"KeyManagementService.ListKeys: is read-only, so event_response", func(f file) {
			f.methodRule("ListKeys", func(r *annotationsv1.MethodRule) { r.EventResponse = proto.Bool(true) })
		}},
		{"KeyManagementService.ListKeys: empty_output must be set for", func(f file) {
			f.methodRule("ListKeys", func(r *annotationsv1.MethodRule) {
				r.EmptyOutput = annotationsv1.EmptyOutput_EMPTY_OUTPUT_NO_BODY.Enum()
			})
		}},
		{"KeyManagementService.ListKeys: empty_output must be set for", func(f file) {
			f.message("ListKeysResponse").Field = nil
		}},
		{"KeyManagementService.ListKeys: errors has the unknown kind 999", func(f file) {
			f.methodRule("ListKeys", func(r *annotationsv1.MethodRule) { r.Errors = append(r.Errors, 999) })
		}},
		{"KeyManagementService.ListKeys: errors has ERROR_KIND_KMS_INTERNAL twice", func(f file) {
			f.methodRule("ListKeys", func(r *annotationsv1.MethodRule) {
				r.Errors = append(r.Errors, annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL)
			})
		}},
		{"KeyManagementService.ListKeys: no field of the request refers to its RESOURCE_KIND_KEY", func(f file) {
			f.methodRule("ListKeys", func(r *annotationsv1.MethodRule) {
				r.Resource = annotationsv1.ResourceKind_RESOURCE_KIND_KEY.Enum()
			})
		}},
	}
}

// spoiltMessages are messages and enums with bad rules.
func spoiltMessages() []spoilt {
	return []spoilt{
		{`GenerateDataKeyRequest: exactly_one_of names no field "KeySpec"`, func(f file) {
			f.messageRule("GenerateDataKeyRequest", func(r *annotationsv1.MessageRule) { r.ExactlyOneOf[0] = "KeySpec" })
		}},
		{`GenerateDataKeyRequest: exactly_one_of names the required field "key_id"`, func(f file) {
			f.messageRule("GenerateDataKeyRequest", func(r *annotationsv1.MessageRule) { r.ExactlyOneOf[0] = "key_id" })
		}},
		{"GenerateDataKeyRequest: exactly_one_of and exactly_one_of_text need each other", func(f file) {
			f.messageRule("GenerateDataKeyRequest", func(r *annotationsv1.MessageRule) { r.ExactlyOneOfText = nil })
		}},
		{`CreateKeyRequest: at_most_one_of names no field "spec"`, func(f file) {
			f.messageRule("CreateKeyRequest", func(r *annotationsv1.MessageRule) { r.AtMostOneOf = []string{"spec"} })
		}},
		{`EncryptRequest.plaintext: wire name "KeyId" is taken`, func(f file) {
			f.rule("EncryptRequest", "plaintext", func(r *annotationsv1.FieldRule) { r.WireName = proto.String("KeyId") })
		}},
		{`EncryptRequest.dry_run: event name "keyId" is taken`, func(f file) {
			f.rule("EncryptRequest", "dry_run", func(r *annotationsv1.FieldRule) {
				r.Event = &annotationsv1.EventRule{Name: proto.String("keyId")}
			})
		}},
		{"DataKeySpec: its zero value is not unspecified", func(f file) {
			for _, e := range f.EnumType {
				if e.GetName() == "DataKeySpec" {
					e.Value[0].Name = proto.String("DATA_KEY_SPEC_NONE")
				}
			}
		}},
		{`DATA_KEY_SPEC_AES_128: wire name "AES_256" is taken`, func(f file) {
			for _, e := range f.EnumType {
				if e.GetName() == "DataKeySpec" {
					e.Value[2].Options = &descriptorpb.EnumValueOptions{}
					proto.SetExtension(e.Value[2].Options, annotationsv1.E_Value, &annotationsv1.EnumValueRule{WireName: proto.String("AES_256")})
				}
			}
		}},
	}
}

// spoiltFields are fields with bad limits or secrecy.
func spoiltFields() []spoilt {
	return []spoilt{
		{"EncryptRequest.plaintext: a bytes field must be either debug_redact or public", func(f file) {
			f.field("EncryptRequest", "plaintext").Options.DebugRedact = nil
		}},
		{"EncryptRequest.plaintext: a bytes field must be either debug_redact or public", func(f file) {
			f.rule("EncryptRequest", "plaintext", func(r *annotationsv1.FieldRule) { r.Public = proto.Bool(true) })
		}},
		{"ListKeysRequest.marker: pattern \"[\": error parsing regexp", func(f file) {
			f.rule("ListKeysRequest", "marker", func(r *annotationsv1.FieldRule) { r.Pattern = proto.String("[") })
		}},
		{"ListKeysRequest.limit: pattern fits strings only", func(f file) {
			f.rule("ListKeysRequest", "limit", func(r *annotationsv1.FieldRule) { r.Pattern = proto.String("x") })
		}},
		{"EncryptRequest.key_id: item_pattern fits lists and maps of strings only", func(f file) {
			f.rule("EncryptRequest", "key_id", func(r *annotationsv1.FieldRule) { r.ItemPattern = proto.String("x") })
		}},
		{"EncryptRequest.dry_run: size does not fit its type", func(f file) {
			f.rule("EncryptRequest", "dry_run", func(r *annotationsv1.FieldRule) { r.Size = &annotationsv1.Range{} })
		}},
		{"EncryptRequest.key_id: item_size does not fit its type", func(f file) {
			f.rule("EncryptRequest", "key_id", func(r *annotationsv1.FieldRule) { r.ItemSize = &annotationsv1.Range{} })
		}},
		{"EncryptRequest.key_id: map_key_size fits maps only", func(f file) {
			f.rule("EncryptRequest", "key_id", func(r *annotationsv1.FieldRule) { r.MapKeySize = &annotationsv1.Range{} })
		}},
		{"ListKeysRequest.limit: the least size is above the greatest", func(f file) {
			f.rule("ListKeysRequest", "limit", func(r *annotationsv1.FieldRule) { r.Size.Min = proto.Int64(1001) })
		}},
	}
}

// spoiltEvents are fields with a bad event rule.
func spoiltEvents() []spoilt {
	return []spoilt{
		{"CreateKeyRequest.origin: default_json AWS_KMS is not a value of the field", func(f file) {
			f.rule("CreateKeyRequest", "origin", func(r *annotationsv1.FieldRule) { r.Event.DefaultJson = proto.String("AWS_KMS") })
		}},
		{`CreateKeyRequest.origin: default_json "AWS" is not a value of the field`, func(f file) {
			f.rule("CreateKeyRequest", "origin", func(r *annotationsv1.FieldRule) { r.Event.DefaultJson = proto.String(`"AWS"`) })
		}},
		{"CreateKeyRequest.origin: default_json on a field that is secret, omitted or required", func(f file) {
			f.rule("CreateKeyRequest", "origin", func(r *annotationsv1.FieldRule) { r.Required = proto.Bool(true) })
		}},
		{`CreateKeyRequest.key_spec: default_from names no field "spec"`, func(f file) {
			f.rule("CreateKeyRequest", "key_spec", func(r *annotationsv1.FieldRule) { r.Event.DefaultFrom = proto.String("spec") })
		}},
		{`EncryptRequest.dry_run: default_from names the secret field "plaintext"`, func(f file) {
			f.rule("EncryptRequest", "dry_run", func(r *annotationsv1.FieldRule) {
				r.Event = &annotationsv1.EventRule{DefaultFrom: proto.String("plaintext")}
			})
		}},
	}
}

// spoiltUses are fields whose other rules do not fit them.
func spoiltUses() []spoilt {
	return []spoilt{
		{"ListKeysRequest.limit: reference fits strings and bytes only", func(f file) {
			f.rule("ListKeysRequest", "limit", func(r *annotationsv1.FieldRule) {
				r.Reference = annotationsv1.ReferenceKind_REFERENCE_KIND_KEY.Enum()
			})
		}},
		{"EncryptRequest.plaintext: a secret feeds a condition key", func(f file) {
			f.rule("EncryptRequest", "plaintext", func(r *annotationsv1.FieldRule) {
				r.Condition = &annotationsv1.ConditionRule{Key: proto.String("kms:Plaintext")}
			})
		}},
		{"EncryptRequest.encryption_context: condition keys for entries fit", func(f file) {
			f.rule("EncryptRequest", "encryption_context", func(r *annotationsv1.FieldRule) {
				r.Condition = &annotationsv1.ConditionRule{Key: proto.String("kms:Context")}
			})
		}},
		{"EncryptRequest.dry_run: condition needs either key, or entry_prefix and names", func(f file) {
			f.rule("EncryptRequest", "dry_run", func(r *annotationsv1.FieldRule) { r.Condition = &annotationsv1.ConditionRule{} })
		}},
		{"EncryptRequest.encryption_context: entry_prefix and names need each other", func(f file) {
			f.rule("EncryptRequest", "encryption_context", func(r *annotationsv1.FieldRule) { r.Condition.Names = nil })
		}},
		{"CreateKeyRequest.tags: its values fit no condition key", func(f file) {
			f.message("Tag").Field = f.message("Tag").Field[:1]
		}},
		{"DecryptRequest.ciphertext_blob: its values fit no condition key", func(f file) {
			f.rule("DecryptRequest", "ciphertext_blob", func(r *annotationsv1.FieldRule) {
				r.Condition = &annotationsv1.ConditionRule{Key: proto.String("kms:Ciphertext")}
			})
		}},
		{"ListKeysRequest.limit: has no presence", func(f file) {
			f.field("ListKeysRequest", "limit").Options.Features = &descriptorpb.FeatureSet{
				FieldPresence: descriptorpb.FeatureSet_IMPLICIT.Enum(),
			}
		}},
		{"ListKeysRequest.limit: its type is not supported", func(f file) {
			f.field("ListKeysRequest", "limit").Type = descriptorpb.FieldDescriptorProto_TYPE_SFIXED32.Enum()
		}},
	}
}
