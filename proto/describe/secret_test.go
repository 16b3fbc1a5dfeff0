package describe_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// Every bytes field either holds a secret or something that may be seen. A new
// one has to be entered here, by somebody who has thought about it.
func TestEveryBytesFieldIsSecretOrHarmless(t *testing.T) {
	want := map[string]bool{ // secret?
		"BackupResponse.chunk":                                                    false,
		"AuditSigningKey.public_key":                                              false,
		"DecryptRequest.ciphertext_blob":                                          false,
		"DecryptResponse.ciphertext_for_recipient":                                false,
		"DecryptResponse.plaintext":                                               true,
		"DeriveSharedSecretRequest.public_key":                                    false,
		"DeriveSharedSecretResponse.ciphertext_for_recipient":                     false,
		"DeriveSharedSecretResponse.shared_secret":                                true,
		"EncryptRequest.plaintext":                                                true,
		"EncryptResponse.ciphertext_blob":                                         false,
		"GenerateDataKeyPairResponse.ciphertext_for_recipient":                    false,
		"GenerateDataKeyPairResponse.private_key_ciphertext_blob":                 false,
		"GenerateDataKeyPairResponse.private_key_plaintext":                       true,
		"GenerateDataKeyPairResponse.public_key":                                  false,
		"GenerateDataKeyPairWithoutPlaintextResponse.private_key_ciphertext_blob": false,
		"GenerateDataKeyPairWithoutPlaintextResponse.public_key":                  false,
		"GenerateDataKeyResponse.ciphertext_blob":                                 false,
		"GenerateDataKeyResponse.ciphertext_for_recipient":                        false,
		"GenerateDataKeyResponse.plaintext":                                       true,
		"GenerateDataKeyWithoutPlaintextResponse.ciphertext_blob":                 false,
		"GenerateMacRequest.message":                                              true,
		"GenerateMacResponse.mac":                                                 true,
		"GenerateRandomResponse.ciphertext_for_recipient":                         false,
		"GenerateRandomResponse.plaintext":                                        true,
		"GetParametersForImportResponse.import_token":                             false,
		"GetParametersForImportResponse.public_key":                               false,
		"GetPublicKeyResponse.public_key":                                         false,
		"ImportKeyMaterialRequest.encrypted_key_material":                         false,
		"ImportKeyMaterialRequest.import_token":                                   false,
		"ReEncryptRequest.ciphertext_blob":                                        false,
		"ReEncryptResponse.ciphertext_blob":                                       false,
		"PublicKey.value":                                                         false,
		"RecipientInfo.attestation_document":                                      false,
		"SignRequest.message":                                                     true,
		"SignResponse.signature":                                                  false,
		"VerifyMacRequest.mac":                                                    true,
		"VerifyMacRequest.message":                                                true,
		"VerifyRequest.message":                                                   true,
		"VerifyRequest.signature":                                                 false,
	}
	got := make(map[string]bool)
	reachable(compiled(t), func(m *describe.Message) {
		for _, f := range m.Fields {
			if f.Kind == describe.KindBytes {
				got[fieldName(f)] = f.Secret
			}
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bytes fields that are secret (-want +proto):\n%s", diff)
	}
}

func TestFieldsWithSecretNamesAreSecret(t *testing.T) {
	suspect := regexp.MustCompile(`plaintext|password|secret|private|credential|(^|_)pin(_|$)`)
	harmless := regexp.MustCompile(`_ciphertext_blob$|^pin_state$`)
	reachable(compiled(t), func(m *describe.Message) {
		for _, f := range m.Fields {
			name := string(f.Desc.Name())
			if suspect.MatchString(name) && !harmless.MatchString(name) && !f.Secret {
				t.Errorf("%s is not marked with debug_redact", fieldName(f))
			}
		}
	})
}

// A secret in every secret field, and a canary in every other one, of every
// message: the canary shows that the outputs have what the fields held.
func TestPlantedSecretsShowNowhere(t *testing.T) {
	api := compiled(t)
	var planted []string
	reachable(api, func(m *describe.Message) {
		for _, size := range []int{32, 5000} { // good, and above every limit
			msg := fill(m, size)
			for _, f := range m.Fields {
				if f.Secret && size == 32 {
					planted = append(planted, fieldName(f))
				}
			}
			for what, text := range outputs(api, m, msg) {
				if leaks(text) {
					t.Errorf("%s of %s shows a secret of %d bytes: %.300q", what, m.Desc.Name(), size, text)
				}
			}
			if text := api.Redact(msg); len(m.Fields) > 0 && !strings.ContainsAny(text, "bcdef") {
				t.Errorf("Redact of %s shows nothing at all: %q", m.Desc.Name(), text)
			}
		}
	})
	slices.Sort(planted)
	want := []string{
		"CreateAccessKeyResponse.secret_access_key",
		"CreateConsoleLinkResponse.url",
		"CreateCustomKeyStoreRequest.key_store_password",
		"CreateCustomKeyStoreRequest.xks_proxy_authentication_credential",
		"DecryptResponse.plaintext",
		"DeriveSharedSecretResponse.shared_secret",
		"EncryptRequest.plaintext",
		"GenerateDataKeyPairResponse.private_key_plaintext",
		"GenerateDataKeyResponse.plaintext",
		"GenerateMacRequest.message",
		"GenerateMacResponse.mac",
		"GenerateRandomResponse.plaintext",
		"SignRequest.message",
		"UpdateCustomKeyStoreRequest.key_store_password",
		"UpdateCustomKeyStoreRequest.xks_proxy_authentication_credential",
		"VerifyMacRequest.mac",
		"VerifyMacRequest.message",
		"VerifyRequest.message",
		"XksProxyAuthenticationCredential.access_key_id",
		"XksProxyAuthenticationCredential.raw_secret_access_key",
		"XksProxyConfiguration.access_key_id",
	}
	if diff := cmp.Diff(want, planted); diff != "" {
		t.Errorf("secret fields (-want +planted):\n%s", diff)
	}
}

func TestCanariesShow(t *testing.T) {
	api := compiled(t)
	m := api.Method(kmsService + "Encrypt").Request
	for what, text := range outputs(api, m, fill(m, 5000)) {
		if !strings.Contains(text, "CANARY") {
			t.Errorf("%s does not show what a public field holds: %.300q", what, text)
		}
	}
	if !leaks("x"+hex.EncodeToString([]byte(planting(32)))) || !leaks(planting(40)) {
		t.Error("leaks does not see a secret")
	}
}

// planting is a secret of a length.
func planting(size int) string { return strings.Repeat("PLANTED!", size/8) }

// leaks says whether text holds the secret, as it is or encoded.
func leaks(text string) bool {
	raw := []byte("PLANTED!PLANTED!")
	for _, form := range []string{
		string(raw[:8]),
		hex.EncodeToString(raw[:8]),
		strings.ToUpper(hex.EncodeToString(raw[:8])),
		base64.RawStdEncoding.EncodeToString(raw[:6]),
		strings.Trim(fmt.Sprintf("%d", raw[:8]), "[]"),
	} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// outputs are all texts that package describe makes of a message.
func outputs(api *describe.API, m *describe.Message, msg *dynamicpb.Message) map[string]string {
	texts := map[string]string{
		"AppendEvent": string(m.AppendEvent(nil, msg)),
		"Redact":      api.Redact(msg),
	}
	if err := m.Validate(msg); err != nil {
		texts["Validate"] = err.Error()
	}
	return texts
}

// fill returns a message of the plan's type with every field set: secrets to a
// planted one of a size, strings and public bytes to a canary of it.
func fill(m *describe.Message, size int) *dynamicpb.Message {
	msg := dynamicpb.NewMessage(m.Desc)
	for _, f := range m.Fields {
		switch {
		case f.Map:
			key := protoreflect.ValueOfString("CANARY").MapKey()
			msg.Mutable(f.Desc).Map().Set(key, value(f, size))
		case f.List:
			msg.Mutable(f.Desc).List().Append(value(f, size))
		default:
			msg.Set(f.Desc, value(f, size))
		}
	}
	return msg
}

func value(f *describe.Field, size int) protoreflect.Value {
	text := strings.Repeat("CANARY..", size/8)
	if f.Secret {
		text = planting(size)
	}
	switch f.Kind {
	case describe.KindString:
		return protoreflect.ValueOfString(text)
	case describe.KindBytes:
		return protoreflect.ValueOfBytes(bytes.Clone([]byte(text)))
	case describe.KindBool:
		return protoreflect.ValueOfBool(true)
	case describe.KindFloat:
		return protoreflect.ValueOfFloat64(7)
	case describe.KindEnum:
		return protoreflect.ValueOfEnum(1)
	case describe.KindTimestamp:
		return protoreflect.ValueOfMessage(timestamppb.Now().ProtoReflect())
	case describe.KindMessage:
		return protoreflect.ValueOfMessage(fill(f.Message, size))
	}
	return integer(f)
}

func integer(f *describe.Field) protoreflect.Value {
	desc := f.Desc
	switch desc.Kind() {
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(7)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(7)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(7)
	}
	return protoreflect.ValueOfInt32(7)
}

// fieldName is a field's message and proto name.
func fieldName(f *describe.Field) string {
	return string(f.Desc.Parent().Name()) + "." + string(f.Desc.Name())
}
