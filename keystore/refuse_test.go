package keystore

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// refusal is a request that is refused.
type refusal struct {
	name    string
	as      string
	do      func(context.Context) error
	kind    string // without ERROR_KIND_
	message string // a part of it
}

// checkRefusals makes the requests, and sees that each leaves an event with the
// words of its answer.
func (s *service) checkRefusals(t *testing.T, refusals []refusal) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			err := c.do(s.as(c.as))
			want := Kind(annotationsv1.ErrorKind_value["ERROR_KIND_"+c.kind])
			if err == nil || AsError(err).Kind != want {
				t.Fatalf("got %v, want %v", err, want)
			}
			e := AsError(err)
			if !strings.Contains(e.Message, c.message) {
				t.Errorf("the message is %q, and does not have %q", e.Message, c.message)
			}
			if last := s.lastEvent(); last.ErrorMessage != e.Message || last.UserIdentity.ARN != c.as {
				t.Errorf("the event is %+v, the answer %v", last, e)
			}
		})
	}
}

// TestRefusals is the table of what is refused, as which kind of error, in
// words that name the thing. Every refusal leaves an event with the same words.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, other := s.createKey(), s.createKey()
	inContext := map[string]string{"tenant": "acme", "purpose": "test"}
	sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("plain text"), EncryptionContext: inContext})
	s.must(err)
	ciphertext := sealed.CiphertextBlob
	gone := "12345678-1234-1234-1234-123456789012"

	encrypt := func(req *kmsv1.EncryptRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.Encrypt(ctx, req); return err }
	}
	decrypt := func(req *kmsv1.DecryptRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.Decrypt(ctx, req); return err }
	}
	describe := func(id string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: &id})
			return err
		}
	}
	create := func(req *kmsv1.CreateKeyRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.CreateKey(ctx, req); return err }
	}
	dataKey := func(req *kmsv1.GenerateDataKeyRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.GenerateDataKey(ctx, req); return err }
	}
	random := func(n int32) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.GenerateRandom(ctx, &kmsv1.GenerateRandomRequest{NumberOfBytes: &n})
			return err
		}
	}
	flip := func(i int) []byte {
		b := bytes.Clone(ciphertext)
		b[i] ^= 1
		return b
	}
	x := []byte("x")

	s.checkRefusals(t, []refusal{
		{"nobody", "", encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x}), "UNRECOGNIZED_CLIENT", "not those of a known principal"},
		{"unknown principal", nobody, encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x}), "ACCESS_DENIED",
			"User: " + nobody + " is not authorized to perform: kms:Encrypt on resource: " + key.GetArn()},
		{"user makes a key", app, create(&kmsv1.CreateKeyRequest{}), "ACCESS_DENIED", "kms:CreateKey on resource: *"},
		{"auditor uses a key", auditor, encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x}), "ACCESS_DENIED", key.GetArn()},
		{"denied before the key is looked for", nobody, describe(gone), "ACCESS_DENIED", "kms:DescribeKey on resource: arn:aws:kms:us-east-1:000000000000:key/" + gone},
		{"unknown key", app, describe(gone), "NOT_FOUND", "Key 'arn:aws:kms:us-east-1:000000000000:key/" + gone + "' does not exist"},
		{"no key id", app, describe("payroll"), "NOT_FOUND", "Invalid keyId 'payroll'"},
		{"alias", app, describe("alias/payroll"), "NOT_FOUND", "alias/payroll is not found"},
		{"malformed ARN", app, describe("arn:aws:kms"), "INVALID_ARN", "Invalid arn arn:aws:kms"},
		{"malformed ARN where it is not declared", app, encrypt(&kmsv1.EncryptRequest{KeyId: new("arn:aws:kms"), Plaintext: x}), "NOT_FOUND", "Invalid arn arn:aws:kms"},
		{"empty key id", app, describe(""), "VALIDATION", "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"no plaintext", app, encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId}), "VALIDATION", "at 'plaintext' failed to satisfy constraint: Member must not be null"},
		{"plaintext too long", app, encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: make([]byte, 4097)}), "VALIDATION",
			"at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"},
		{"encryption context too long", app, encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x, EncryptionContext: map[string]string{"k": strings.Repeat("v", 8192)}}),
			"VALIDATION", "at 'encryptionContext'"},
		{"algorithm of another key spec", app, encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x,
			EncryptionAlgorithm: kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_256.Enum()}),
			"INVALID_KEY_USAGE", "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT."},
		{"grant token", app, encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x, GrantTokens: []string{"t"}}), "INVALID_GRANT_TOKEN", "grant token that is not valid"},
		{"dry run", app, encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x, DryRun: new(true)}), "DRY_RUN_OPERATION", "would have succeeded"},
		{"dry run of what is not allowed", nobody, encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x, DryRun: new(true)}), "ACCESS_DENIED", key.GetArn()},

		{"no encryption context", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: ciphertext}), "INVALID_CIPHERTEXT", key.GetArn()},
		{"another encryption context", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: ciphertext, EncryptionContext: map[string]string{"tenant": "other", "purpose": "test"}}), "INVALID_CIPHERTEXT", key.GetArn()},
		{"another key", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: ciphertext, EncryptionContext: inContext, KeyId: other.KeyId}), "INCORRECT_KEY", other.GetArn()},
		{"altered version", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: flip(0), EncryptionContext: inContext}), "INVALID_CIPHERTEXT", "version 0"},
		{"altered key id", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: flip(1), EncryptionContext: inContext}), "ACCESS_DENIED", "does not exist"},
		{"altered backing key id", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: flip(17), EncryptionContext: inContext}), "INVALID_CIPHERTEXT", "names key material"},
		{"altered IV", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: flip(33), EncryptionContext: inContext}), "INVALID_CIPHERTEXT", key.GetArn()},
		{"altered ciphertext", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: flip(46), EncryptionContext: inContext}), "INVALID_CIPHERTEXT", key.GetArn()},
		{"altered tag", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: flip(len(ciphertext) - 1), EncryptionContext: inContext}), "INVALID_CIPHERTEXT", key.GetArn()},
		{"truncated", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: ciphertext[:len(ciphertext)-1], EncryptionContext: inContext}), "INVALID_CIPHERTEXT", key.GetArn()},
		{"truncated to the header", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: ciphertext[:33], EncryptionContext: inContext}), "INVALID_CIPHERTEXT", "not one that this service made"},
		{"garbage under a key", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: []byte("garbage"), KeyId: key.KeyId}), "INVALID_CIPHERTEXT", "not one that this service made"},
		{"ciphertext too long", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: make([]byte, 6145)}), "VALIDATION", "at 'ciphertextBlob' failed to satisfy constraint: Member must have length less than or equal to 6144"},
		{"recipient", app, decrypt(&kmsv1.DecryptRequest{CiphertextBlob: ciphertext, Recipient: &kmsv1.RecipientInfo{AttestationDocument: x}}), "VALIDATION", "Recipient is not supported"},

		{"data key of no length", app, dataKey(&kmsv1.GenerateDataKeyRequest{KeyId: key.KeyId}), "VALIDATION", ""},
		{"data key of two lengths", app, dataKey(&kmsv1.GenerateDataKeyRequest{KeyId: key.KeyId, NumberOfBytes: new(int32(32)), KeySpec: kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256.Enum()}), "VALIDATION", ""},
		{"data key too long", app, dataKey(&kmsv1.GenerateDataKeyRequest{KeyId: key.KeyId, NumberOfBytes: new(int32(1025))}), "VALIDATION", "Value '1025' at 'numberOfBytes'"},
		{"no random bytes", app, random(0), "VALIDATION", "Value '0' at 'numberOfBytes'"},

		{"RSA key without a usage", admin, create(&kmsv1.CreateKeyRequest{KeySpec: kmsv1.KeySpec_KEY_SPEC_RSA_2048.Enum()}), "VALIDATION", "You must specify a KeyUsage value"},
		{"key spec of nobody's", admin, create(&kmsv1.CreateKeyRequest{KeySpec: kmsv1.KeySpec_KEY_SPEC_SM2.Enum(), KeyUsage: signVerify.Enum()}), "UNSUPPORTED_OPERATION", "KeySpec SM2"},
		{"unknown key spec", admin, create(&kmsv1.CreateKeyRequest{KeySpec: kmsv1.KeySpec(99).Enum()}), "VALIDATION", "Value '99' at 'keySpec'"},
		{"usage that the key spec has not", admin, create(&kmsv1.CreateKeyRequest{KeyUsage: kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY.Enum()}), "VALIDATION", "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"},
		{"key in an external key store", admin, create(&kmsv1.CreateKeyRequest{Origin: kmsv1.OriginType_ORIGIN_TYPE_EXTERNAL_KEY_STORE.Enum()}), "UNSUPPORTED_OPERATION", "Origin EXTERNAL_KEY_STORE"},
		{"key policy without statements", admin, create(&kmsv1.CreateKeyRequest{Policy: new("{}")}), "MALFORMED_POLICY_DOCUMENT", "Statement"},
		{"key policy that locks its author out", admin, create(&kmsv1.CreateKeyRequest{Policy: new(policyOf(app))}), "MALFORMED_POLICY_DOCUMENT", "will not allow you to update the key policy"},
		{"key in a store", admin, create(&kmsv1.CreateKeyRequest{CustomKeyStoreId: new("cks-1234567890abcdef0")}), "CUSTOM_KEY_STORE_NOT_FOUND", "cks-1234567890abcdef0"},
		{"multi-Region key", admin, create(&kmsv1.CreateKeyRequest{MultiRegion: new(true)}), "UNSUPPORTED_OPERATION", "MultiRegion"},
		{"both names of the key spec", admin, create(&kmsv1.CreateKeyRequest{KeySpec: kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT.Enum(),
			CustomerMasterKeySpec: kmsv1.CustomerMasterKeySpec_CUSTOMER_MASTER_KEY_SPEC_SYMMETRIC_DEFAULT.Enum()}), "VALIDATION", "CustomerMasterKeySpec"},
	})
	if err := encrypt(&kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x})(t.Context()); err == nil {
		t.Error("a request without a caller was answered")
	}
}

// TestEveryEncryptionContextIsLimited finds the contexts by the description of
// the API, so that none of a new operation is forgotten.
func TestEveryEncryptionContextIsLimited(t *testing.T) {
	t.Parallel()
	api, err := describe.Compile(kmsv1.File_strongroom_kms_v1_kms_proto.Services().ByName("KeyManagementService"))
	if err != nil {
		t.Fatal(err)
	}
	contexts := 0
	for _, m := range api.Services()[0].Methods {
		for _, f := range m.Request.Fields {
			if !f.Map {
				continue
			}
			contexts++
			kind, err := protoregistry.GlobalTypes.FindMessageByName(m.Request.Desc.FullName())
			if err != nil {
				t.Fatal(err)
			}
			req := kind.New()
			req.Mutable(f.Desc).Map().Set(protoreflect.ValueOfString("k").MapKey(), protoreflect.ValueOfString(strings.Repeat("v", 8192)))
			if err := checkContexts(req.Interface()); err == nil || !strings.Contains(AsError(err).Message, "Value at '"+f.EventName+"'") {
				t.Errorf("%s with a large %s: %v", m.Name, f.WireName, err)
			}
		}
	}
	if contexts < 6 {
		t.Errorf("only %d encryption contexts were found", contexts)
	}
}
