package describe_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		"CreateGrant":                         {"kms:GrantOperations", "kms:GranteePrincipal", "kms:RetiringPrincipal"},
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
		for _, f := range m.Request.Fields {
			if c := f.Condition; c != nil && c.Key != "" {
				got[m.Name] = append(got[m.Name], c.Key)
			} else if c != nil {
				got[m.Name] = append(got[m.Name], c.EntryPrefix+"<name>", c.Names)
			}
		}
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
