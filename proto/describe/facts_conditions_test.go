package describe_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// conditionKeys are the IAM condition keys that AWS KMS takes from requests of
// these operations. Those that are not here it takes from the key, the caller, or
// what kind of grant is asked for.
func conditionKeys() map[string][]string {
	encryptionContext := []string{"kms:EncryptionContext:<name>", "kms:EncryptionContextKeys"}
	cipher := slices.Concat([]string{"kms:EncryptionAlgorithm"}, encryptionContext)
	pair := slices.Concat([]string{"kms:DataKeyPairSpec"}, encryptionContext)
	signature := []string{"kms:MessageType", "kms:SigningAlgorithm"}
	tags := []string{"aws:RequestTag/<name>", "aws:TagKeys"}
	grant := slices.Concat(encryptionContext, encryptionContext, // of either constraint
		[]string{"kms:GrantOperations", "kms:GranteePrincipal", "kms:RetiringPrincipal"})
	slices.Sort(grant)
	return map[string][]string{
		"CreateKey": slices.Concat(tags, []string{
			"kms:BypassPolicyLockoutSafetyCheck",
			"kms:CustomerMasterKeySpec", "kms:KeyOrigin", "kms:KeySpec", "kms:KeyUsage", "kms:MultiRegion",
		}),
		"ScheduleKeyDeletion":                 {"kms:ScheduleKeyDeletionPendingWindowInDays"},
		"Encrypt":                             cipher,
		"Decrypt":                             cipher,
		"ReEncrypt":                           slices.Sorted(slices.Values(slices.Concat(cipher, cipher))),
		"GenerateDataKey":                     encryptionContext,
		"GenerateDataKeyWithoutPlaintext":     encryptionContext,
		"GenerateDataKeyPair":                 pair,
		"GenerateDataKeyPairWithoutPlaintext": pair,
		"Sign":                                signature,
		"Verify":                              signature,
		"GenerateMac":                         {"kms:MacAlgorithm"},
		"VerifyMac":                           {"kms:MacAlgorithm"},
		"DeriveSharedSecret":                  {"kms:KeyAgreementAlgorithm"},
		"TagResource":                         tags,
		"UntagResource":                       {"aws:TagKeys"},
		"PutKeyPolicy":                        {"kms:BypassPolicyLockoutSafetyCheck"},
		"CreateGrant":                         grant,
		"ListGrants":                          {"kms:GranteePrincipal"},
		"ListRetirableGrants":                 {"kms:RetiringPrincipal"},
		"EnableKeyRotation":                   {"kms:RotationPeriodInDays"},
		"GetParametersForImport":              {"kms:WrappingAlgorithm", "kms:WrappingKeySpec"},
		"ImportKeyMaterial":                   {"kms:ExpirationModel", "kms:ValidTo"},
		"ReplicateKey":                        slices.Concat(tags, []string{"kms:BypassPolicyLockoutSafetyCheck", "kms:ReplicaRegion"}),
		"UpdatePrimaryRegion":                 {"kms:PrimaryRegion"},
	}
}

func TestConditionKeysAreAsIAMHasThem(t *testing.T) {
	got := make(map[string][]string)
	for _, m := range compiled(t).Services()[0].Methods {
		got[m.Name] = conditionsOf(m.Request)
		slices.Sort(got[m.Name])
	}
	for name, keys := range got {
		if len(keys) == 0 {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(conditionKeys(), got); diff != "" {
		t.Errorf("condition keys (-AWS +proto):\n%s", diff)
	}
}

// conditionsOf are the condition keys of a message and of the structures in it.
func conditionsOf(m *describe.Message) []string {
	var keys []string
	for _, f := range m.Fields {
		switch c := f.Condition; {
		case c != nil && c.Key != "":
			keys = append(keys, c.Key)
		case c != nil:
			keys = append(keys, c.EntryPrefix+"<name>", c.Names)
		case f.Message != nil && !f.List:
			keys = append(keys, conditionsOf(f.Message)...)
		}
	}
	return keys
}
