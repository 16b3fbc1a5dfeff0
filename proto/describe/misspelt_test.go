package describe_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// A codec that reads spellings notes those that an enum does not have: the
// errors and events show them.
func TestMisspeltEnums(t *testing.T) {
	api := compiled(t)
	request := &kmsv1.CreateGrantRequest{
		KeyId:            proto.String("k"),
		GranteePrincipal: proto.String("p"),
	}
	plan := planOf(t, api, request)
	r := request.ProtoReflect()
	operations := plan.ByWireName("Operations")
	list := r.Mutable(operations.Desc).List()
	list.Append(operations.Misspelt(r, "Encipher"))
	list.Append(protoreflect.ValueOfEnum(kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT.Number()))
	list.Append(operations.Misspelt(r, "Dec\nipher"))

	const text = "1 validation error detected: Value '[Encipher, Encrypt, Dec\nipher]' at 'operations' failed to satisfy " +
		"constraint: Member must satisfy constraint: [Member must satisfy enum value set: [Decrypt, Encrypt, "
	if got := plan.Validate(request).Error(); len(got) < len(text) || got[:len(text)] != text {
		t.Errorf("Validate = %q, want %q...", got, text)
	}
	const event = `{"keyId":"k","granteePrincipal":"p","operations":["Encipher","Encrypt","Dec\nipher"]}`
	if got := string(plan.AppendEvent(nil, request)); got != event {
		t.Errorf("event = %s, want %s", got, event)
	}
}

// A misspelt enum is there, in a structure as well, and does not touch others.
func TestMisspeltEnumOfAStructure(t *testing.T) {
	api := compiled(t)
	recipient := &kmsv1.RecipientInfo{AttestationDocument: []byte("d")}
	request := &kmsv1.DecryptRequest{
		CiphertextBlob:      []byte("c"),
		EncryptionAlgorithm: kmsv1.EncryptionAlgorithmSpec(99).Enum(),
		Recipient:           recipient,
	}
	plan := planOf(t, api, recipient)
	mechanism := plan.ByWireName("KeyEncryptionAlgorithm")
	r := recipient.ProtoReflect()
	r.Set(mechanism.Desc, mechanism.Misspelt(r, "ROT13"))

	const text = "2 validation errors detected: Value '99' at 'encryptionAlgorithm' failed to satisfy constraint: " +
		"Member must satisfy enum value set: [SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE]; " +
		"Value 'ROT13' at 'recipient.keyEncryptionAlgorithm' failed to satisfy constraint: " +
		"Member must satisfy enum value set: [RSAES_OAEP_SHA_256]"
	if got := planOf(t, api, request).Validate(request).Error(); got != text {
		t.Errorf("Validate = %q, want %q", got, text)
	}
}

// A request may be a list of misspelt values only: none costs a copy of those before it.
func TestManyMisspeltEnums(t *testing.T) {
	request := new(kmsv1.CreateGrantRequest)
	r, operations := request.ProtoReflect(), planOf(t, compiled(t), request).ByWireName("Operations")
	if got := testing.AllocsPerRun(10_000, func() { operations.Misspelt(r, "Encipher") }); got >= 1 {
		t.Errorf("a misspelt value makes %v allocations", got)
	}
}
