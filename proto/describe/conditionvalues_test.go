package describe_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// conditionTest is a condition key of a request, and its values.
type conditionTest struct {
	name string
	msg  proto.Message
	key  string
	want []string // nil: the request does not have the key
}

// scalarConditions are condition keys with the value of one field.
func scalarConditions() []conditionTest {
	return []conditionTest{
		{"an enum by its wire name", &kmsv1.SignRequest{SigningAlgorithm: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_SM2_DSA.Enum()}, "kms:signingalgorithm", []string{"SM2DSA"}},
		{"an unknown enum by its number", &kmsv1.SignRequest{SigningAlgorithm: kmsv1.SigningAlgorithmSpec(99).Enum()}, "kms:signingalgorithm", []string{"99"}},
		{"an integer in decimal", &kmsv1.ScheduleKeyDeletionRequest{PendingWindowInDays: proto.Int32(7)}, "kms:schedulekeydeletionpendingwindowindays", []string{"7"}},
		{"a boolean", &kmsv1.PutKeyPolicyRequest{BypassPolicyLockoutSafetyCheck: proto.Bool(true)}, "kms:bypasspolicylockoutsafetycheck", []string{"true"}},
		{"a boolean that is false", &kmsv1.CreateKeyRequest{MultiRegion: proto.Bool(false)}, "kms:multiregion", []string{"false"}},
		{"a time in UTC", &kmsv1.ImportKeyMaterialRequest{ValidTo: timestamppb.New(time.Date(2027, 1, 2, 4, 4, 5, 0, time.FixedZone("", 3600)))}, "kms:validto", []string{"2027-01-02T03:04:05Z"}},
		{"a string", &kmsv1.CreateGrantRequest{GranteePrincipal: proto.String("arn:aws:iam::111122223333:user/x")}, "kms:granteeprincipal", []string{"arn:aws:iam::111122223333:user/x"}},
		{"an empty string", &kmsv1.CreateGrantRequest{GranteePrincipal: proto.String("")}, "kms:granteeprincipal", []string{""}},
		{"a list of enums", &kmsv1.CreateGrantRequest{Operations: []kmsv1.GrantOperation{
			kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT, kmsv1.GrantOperation_GRANT_OPERATION_DECRYPT,
		}}, "kms:grantoperations", []string{"Encrypt", "Decrypt"}},
		{"a list of strings", &kmsv1.UntagResourceRequest{TagKeys: []string{"Team", "app"}}, "aws:tagkeys", []string{"Team", "app"}},
		{"an absent field", &kmsv1.ScheduleKeyDeletionRequest{}, "kms:schedulekeydeletionpendingwindowindays", nil},
		{"an empty list", &kmsv1.CreateGrantRequest{}, "kms:grantoperations", nil},
		{"a default", &kmsv1.EncryptRequest{}, "kms:encryptionalgorithm", []string{"SYMMETRIC_DEFAULT"}},
		{"a boolean that is absent", &kmsv1.PutKeyPolicyRequest{}, "kms:bypasspolicylockoutsafetycheck", nil},
		{"another field's value", &kmsv1.CreateKeyRequest{CustomerMasterKeySpec: kmsv1.CustomerMasterKeySpec_CUSTOMER_MASTER_KEY_SPEC_ECC_SECG_P256_K1.Enum()}, "kms:keyspec", []string{"ECC_SECG_P256K1"}},
		{"a key in the case of IAM's documents", &kmsv1.EncryptRequest{}, "kms:EncryptionAlgorithm", nil},
		{"a key that the operation does not have", &kmsv1.EncryptRequest{}, "kms:keyspec", nil},
	}
}

// entryConditions are condition keys of the entries of maps and lists of tags.
func entryConditions() []conditionTest {
	encrypt := &kmsv1.EncryptRequest{EncryptionContext: map[string]string{"Department": "it", "stage": "prod", "DEPARTMENT": "hr", "ä": "", "": "none"}}
	tags := &kmsv1.TagResourceRequest{Tags: []*kmsv1.Tag{
		{TagKey: proto.String("Team"), TagValue: proto.String("payroll")},
		{TagKey: proto.String("empty"), TagValue: proto.String("")},
	}}
	grant := &kmsv1.CreateGrantRequest{Constraints: &kmsv1.GrantConstraints{EncryptionContextEquals: map[string]string{"Stage": "prod"}}}
	return []conditionTest{
		{"an entry", encrypt, "kms:encryptioncontext:stage", []string{"prod"}},
		{"names that differ by case", encrypt, "kms:encryptioncontext:department", []string{"hr", "it"}},
		{"an empty value", encrypt, "kms:encryptioncontext:ä", []string{""}},
		{"an empty name", encrypt, "kms:encryptioncontext:", []string{"none"}},
		{"a name that no entry has", encrypt, "kms:encryptioncontext:stag", nil},
		{"the names as they are", encrypt, "kms:encryptioncontextkeys", []string{"", "DEPARTMENT", "Department", "stage", "ä"}},
		{"the names of an empty map", &kmsv1.EncryptRequest{}, "kms:encryptioncontextkeys", nil},
		{"an entry of an empty map", &kmsv1.EncryptRequest{}, "kms:encryptioncontext:stage", nil},
		{"an entry in a structure", grant, "kms:encryptioncontext:stage", []string{"prod"}},
		{"the names in a structure", grant, "kms:encryptioncontextkeys", []string{"Stage"}},
		{"an entry in an absent structure", &kmsv1.CreateGrantRequest{}, "kms:encryptioncontext:stage", nil},
		{"a tag", tags, "aws:requesttag/team", []string{"payroll"}},
		{"a tag with an empty value", tags, "aws:requesttag/empty", []string{""}},
		{"the keys of tags", tags, "aws:tagkeys", []string{"Team", "empty"}},
		{"the keys of no tags", &kmsv1.TagResourceRequest{}, "aws:tagkeys", nil},
	}
}

func TestConditionValues(t *testing.T) {
	api := compiled(t)
	for _, tt := range append(scalarConditions(), entryConditions()...) {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := planOf(t, api, tt.msg).ConditionValues(tt.msg, tt.key)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != (tt.want != nil) {
				t.Errorf("values of %s, %v (-want +got):\n%s", tt.key, ok, diff)
			}
		})
	}
}

func TestConditionValuesOfWhatIsNotThere(t *testing.T) {
	plan := planOf(t, compiled(t), &kmsv1.CreateKeyRequest{})
	for name, msg := range map[string]proto.Message{
		"nil":          nil,
		"nil pointer":  (*kmsv1.CreateKeyRequest)(nil),
		"another type": &kmsv1.EncryptRequest{},
	} {
		if got, ok := plan.ConditionValues(msg, "kms:keyspec"); ok || got != nil {
			t.Errorf("%s: ConditionValues = %q, %v", name, got, ok)
		}
	}
}

func BenchmarkConditionValues(b *testing.B) {
	plan := planOf(b, compiled(b), &kmsv1.EncryptRequest{})
	msg := &kmsv1.EncryptRequest{EncryptionContext: map[string]string{"app": "payroll", "stage": "prod"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := plan.ConditionValues(msg, "kms:encryptioncontext:stage"); !ok {
			b.Fatal("the request does not have the key")
		}
	}
}
