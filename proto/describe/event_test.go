package describe_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

const (
	keyID  = "1234abcd-12ab-34cd-56ef-1234567890ab"
	keyARN = "arn:aws:kms:us-east-1:000000000000:key/" + keyID
)

var secret = []byte("attack at dawn")

// metadata is the answer of CreateKey and DescribeKey.
func metadata() *kmsv1.KeyMetadata {
	return &kmsv1.KeyMetadata{
		AwsAccountId:          proto.String("000000000000"),
		KeyId:                 proto.String(keyID),
		Arn:                   proto.String(keyARN),
		CreationDate:          timestamppb.New(time.Date(2021, 10, 14, 17, 39, 50, 123456789, time.UTC)),
		Enabled:               proto.Bool(true),
		Description:           proto.String(`the "payroll" key`),
		KeyUsage:              kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT.Enum(),
		KeyState:              kmsv1.KeyState_KEY_STATE_ENABLED.Enum(),
		Origin:                kmsv1.OriginType_ORIGIN_TYPE_AWS_KMS.Enum(),
		KeyManager:            kmsv1.KeyManagerType_KEY_MANAGER_TYPE_CUSTOMER.Enum(),
		CustomerMasterKeySpec: kmsv1.CustomerMasterKeySpec_CUSTOMER_MASTER_KEY_SPEC_SYMMETRIC_DEFAULT.Enum(),
		KeySpec:               kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT.Enum(),
		EncryptionAlgorithms:  []kmsv1.EncryptionAlgorithmSpec{kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_SYMMETRIC_DEFAULT},
		MultiRegion:           proto.Bool(false),
	}
}

type eventTest struct {
	name              string
	method            string
	request, response proto.Message
	wantRequest       string
	wantResponse      string
}

// keyEvents are calls on keys and their metadata.
func keyEvents() []eventTest {
	return []eventTest{
		{
			name:         "CreateKey without members shows CloudTrail's defaults",
			method:       "CreateKey",
			request:      &kmsv1.CreateKeyRequest{},
			response:     &kmsv1.CreateKeyResponse{KeyMetadata: metadata()},
			wantRequest:  `{"description":"","keyUsage":"ENCRYPT_DECRYPT","customerMasterKeySpec":"SYMMETRIC_DEFAULT","keySpec":"SYMMETRIC_DEFAULT","origin":"AWS_KMS","bypassPolicyLockoutSafetyCheck":false}`,
			wantResponse: `{"keyMetadata":{"aWSAccountId":"000000000000","keyId":"` + keyID + `","arn":"` + keyARN + `","creationDate":"Oct 14, 2021, 5:39:50 PM","enabled":true,"description":"the \"payroll\" key","keyUsage":"ENCRYPT_DECRYPT","keyState":"Enabled","origin":"AWS_KMS","keyManager":"CUSTOMER","customerMasterKeySpec":"SYMMETRIC_DEFAULT","keySpec":"SYMMETRIC_DEFAULT","encryptionAlgorithms":["SYMMETRIC_DEFAULT"],"multiRegion":false}}`,
		},
		{
			name:   "CreateKey in a custom key store",
			method: "CreateKey",
			request: &kmsv1.CreateKeyRequest{
				Policy:           proto.String("{\n  \"Version\": \"2012-10-17\"\n}"),
				Description:      proto.String("line\u2028end"),
				KeySpec:          kmsv1.KeySpec_KEY_SPEC_HMAC_256.Enum(),
				KeyUsage:         kmsv1.KeyUsageType_KEY_USAGE_TYPE_GENERATE_VERIFY_MAC.Enum(),
				Origin:           kmsv1.OriginType_ORIGIN_TYPE_AWS_CLOUDHSM.Enum(),
				CustomKeyStoreId: proto.String("cks-1234567890abcdef0"),
				Tags: []*kmsv1.Tag{
					{TagKey: proto.String("team"), TagValue: proto.String("payroll")},
					{TagKey: proto.String("empty"), TagValue: proto.String("")},
				},
			},
			response:     &kmsv1.CreateKeyResponse{},
			wantRequest:  `{"policy":"{\n  \"Version\": \"2012-10-17\"\n}","description":"line\u2028end","keyUsage":"GENERATE_VERIFY_MAC","customerMasterKeySpec":"HMAC_256","keySpec":"HMAC_256","origin":"AWS_CLOUDHSM","customKeyStoreId":"cks-1234567890abcdef0","bypassPolicyLockoutSafetyCheck":false,"tags":[{"tagKey":"team","tagValue":"payroll"},{"tagKey":"empty","tagValue":""}]}`,
			wantResponse: `null`,
		},
		{
			name:         "DescribeKey leaves out grant tokens and the answer",
			method:       "DescribeKey",
			request:      &kmsv1.DescribeKeyRequest{KeyId: proto.String("alias/payroll"), GrantTokens: []string{"token"}},
			response:     &kmsv1.DescribeKeyResponse{KeyMetadata: metadata()},
			wantRequest:  `{"keyId":"alias/payroll"}`,
			wantResponse: `null`,
		},
		{
			name:         "ListKeys",
			method:       "ListKeys",
			request:      &kmsv1.ListKeysRequest{Limit: proto.Int32(10), Marker: proto.String("next")},
			response:     &kmsv1.ListKeysResponse{Keys: []*kmsv1.KeyListEntry{{KeyId: proto.String(keyID)}}},
			wantRequest:  `{"limit":10,"marker":"next"}`,
			wantResponse: `null`,
		},
		{
			name:         "ListKeys without members",
			method:       "ListKeys",
			request:      &kmsv1.ListKeysRequest{},
			wantRequest:  `null`,
			wantResponse: `null`,
		},
	}
}

// cipherEvents are calls of Encrypt and Decrypt.
func cipherEvents() []eventTest {
	return []eventTest{
		{
			name:   "Encrypt leaves out the plaintext, and has the context in the clear",
			method: "Encrypt",
			request: &kmsv1.EncryptRequest{
				KeyId:             proto.String(keyARN),
				Plaintext:         secret,
				EncryptionContext: map[string]string{"stage": "prod", "app": "payroll", "empty": ""},
				GrantTokens:       []string{"token"},
			},
			response:     &kmsv1.EncryptResponse{CiphertextBlob: []byte("blob"), KeyId: proto.String(keyARN)},
			wantRequest:  `{"keyId":"` + keyARN + `","encryptionContext":{"app":"payroll","empty":"","stage":"prod"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
			wantResponse: `null`,
		},
		{
			name:         "Decrypt always has the algorithm, and neither ciphertext nor answer",
			method:       "Decrypt",
			request:      &kmsv1.DecryptRequest{CiphertextBlob: []byte("blob")},
			response:     &kmsv1.DecryptResponse{Plaintext: secret},
			wantRequest:  `{"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
			wantResponse: `null`,
		},
		{
			name:   "Decrypt with an unknown algorithm, as a dry run",
			method: "Decrypt",
			request: &kmsv1.DecryptRequest{
				CiphertextBlob:      []byte("blob"),
				KeyId:               proto.String(keyID),
				EncryptionAlgorithm: kmsv1.EncryptionAlgorithmSpec(99).Enum(),
				DryRun:              proto.Bool(true),
				DryRunModifiers:     []kmsv1.DryRunModifierType{kmsv1.DryRunModifierType_DRY_RUN_MODIFIER_TYPE_IGNORE_CIPHERTEXT},
				Recipient:           &kmsv1.RecipientInfo{AttestationDocument: []byte("document")},
			},
			wantRequest:  `{"keyId":"` + keyID + `","encryptionAlgorithm":99,"dryRun":true,"dryRunModifiers":["IGNORE_CIPHERTEXT"]}`,
			wantResponse: `null`,
		},
	}
}

// randomEvents are calls that answer random bytes.
func randomEvents() []eventTest {
	return []eventTest{
		{
			name:   "GenerateDataKey",
			method: "GenerateDataKey",
			request: &kmsv1.GenerateDataKeyRequest{
				KeyId:             proto.String("alias/payroll"),
				KeySpec:           kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256.Enum(),
				EncryptionContext: map[string]string{`"quoted"`: "a\nb"},
			},
			response:     &kmsv1.GenerateDataKeyResponse{Plaintext: secret, CiphertextBlob: []byte("blob")},
			wantRequest:  `{"keyId":"alias/payroll","encryptionContext":{"\"quoted\"":"a\nb"},"keySpec":"AES_256"}`,
			wantResponse: `null`,
		},
		{
			name:   "GenerateDataKeyWithoutPlaintext",
			method: "GenerateDataKeyWithoutPlaintext",
			request: &kmsv1.GenerateDataKeyWithoutPlaintextRequest{
				KeyId:         proto.String(keyID),
				NumberOfBytes: proto.Int32(64),
			},
			response:     &kmsv1.GenerateDataKeyWithoutPlaintextResponse{CiphertextBlob: []byte("blob")},
			wantRequest:  `{"keyId":"` + keyID + `","numberOfBytes":64}`,
			wantResponse: `null`,
		},
		{
			name:         "GenerateRandom shows nothing",
			method:       "GenerateRandom",
			request:      &kmsv1.GenerateRandomRequest{NumberOfBytes: proto.Int32(32), CustomKeyStoreId: proto.String("cks-1")},
			response:     &kmsv1.GenerateRandomResponse{Plaintext: secret},
			wantRequest:  `null`,
			wantResponse: `null`,
		},
	}
}

func TestEventsOfEveryOperation(t *testing.T) {
	api := compiled(t)
	covered := make(map[string]bool)
	texts := eventsFrom(t, api, slices.Concat(pairEvents(), accessEvents(), materialEvents(), storeEvents()))
	for _, tt := range slices.Concat(keyEvents(), stateEvents(), aliasEvents(), cipherEvents(), reEncryptEvents(), randomEvents(), texts) {
		covered[tt.method] = true
		t.Run(tt.name, func(t *testing.T) {
			method := api.Method(kmsService + tt.method)
			checkJSON(t, "requestParameters", method.AppendRequestEvent(nil, tt.request), tt.wantRequest)
			checkJSON(t, "responseElements", method.AppendResponseEvent(nil, tt.response), tt.wantResponse)
		})
	}
	for _, m := range api.Services()[0].Methods {
		if !covered[m.Name] {
			t.Errorf("no event of %s is tested", m.Name)
		}
	}
}

func checkJSON(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if !json.Valid(got) {
		t.Errorf("%s is not JSON: %s", what, got)
	}
	if string(got) != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func TestAppendEventOfOperatorMessages(t *testing.T) {
	msg := &operatorv1.DescribeHsmsResponse{Hsms: []*operatorv1.HsmDescription{
		{
			HsmId:         proto.String("hsm-2wlvsyv7tgq"),
			State:         operatorv1.HsmState_HSM_STATE_READY.Enum(),
			ReadySince:    timestamppb.New(time.Date(2026, 1, 2, 0, 4, 5, 0, time.UTC)),
			RebootCounter: proto.Uint32(4294967295),
		},
		{},
	}}
	want := `{"hsms":[{"hsmId":"hsm-2wlvsyv7tgq","state":"READY","readySince":"Jan 2, 2026, 12:04:05 AM","rebootCounter":4294967295},{}]}`
	checkJSON(t, "DescribeHsmsResponse", planOf(t, compiled(t), msg).AppendEvent(nil, msg), want)
}

func TestAppendEventShowsPublicBytesInBase64(t *testing.T) {
	msg := &kmsv1.EncryptResponse{CiphertextBlob: []byte{0xfb, 0xff, 0x00}}
	want := `{"ciphertextBlob":"+/8A"}`
	checkJSON(t, "EncryptResponse", planOf(t, compiled(t), msg).AppendEvent(nil, msg), want)
}

func TestAppendEventOfWhatIsNotThere(t *testing.T) {
	plan := planOf(t, compiled(t), &kmsv1.CreateKeyRequest{})
	tests := []struct {
		name string
		msg  proto.Message
	}{
		{"nil", nil},
		{"nil pointer", (*kmsv1.CreateKeyRequest)(nil)},
		{"another type", &kmsv1.EncryptRequest{KeyId: proto.String(keyID)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(plan.AppendEvent([]byte("x:"), tt.msg)); got != "x:null" {
				t.Errorf("AppendEvent = %s, want x:null", got)
			}
		})
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	plan := planOf(b, compiled(b), &kmsv1.EncryptRequest{})
	msg := &kmsv1.EncryptRequest{
		KeyId:             proto.String(keyARN),
		Plaintext:         secret,
		EncryptionContext: map[string]string{"app": "payroll", "stage": "prod"},
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = plan.AppendEvent(dst[:0], msg)
	}
}

func BenchmarkValidate(b *testing.B) {
	plan := planOf(b, compiled(b), &kmsv1.EncryptRequest{})
	msg := &kmsv1.EncryptRequest{
		KeyId:             proto.String(keyARN),
		Plaintext:         secret,
		EncryptionContext: map[string]string{"app": "payroll", "stage": "prod"},
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := plan.Validate(msg); err != nil {
			b.Fatal(err)
		}
	}
}
