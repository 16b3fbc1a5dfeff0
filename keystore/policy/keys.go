package policy

import (
	"slices"
	"strings"
)

// conditionKey is one that AWS defines for AWS KMS, as AWS writes it. A "<...>" at
// its end stands for a name.
type conditionKey struct {
	name string
	// filled: it has a value here for some requests.
	filled bool
}

// conditionKeys returns the condition keys of AWS KMS, all of the vendor kms:, and
// those of aws: that are filled.
func conditionKeys() []conditionKey {
	return []conditionKey{
		{"kms:BypassPolicyLockoutSafetyCheck", true},
		{"kms:CallerAccount", true},
		{"kms:CustomerMasterKeySpec", true},
		{"kms:CustomerMasterKeyUsage", true},
		{"kms:DataKeyPairSpec", true},
		{"kms:EncryptionAlgorithm", true},
		{"kms:EncryptionContext:<key>", true},
		{"kms:EncryptionContextKeys", true},
		{"kms:ExpirationModel", true},
		{"kms:GrantConstraintType", true},
		{"kms:GrantIsForAWSResource", false},
		{"kms:GrantOperations", true},
		{"kms:GranteePrincipal", true},
		{"kms:KeyAgreementAlgorithm", true},
		{"kms:KeyOrigin", true},
		{"kms:KeySpec", true},
		{"kms:KeyUsage", true},
		{"kms:MacAlgorithm", true},
		{"kms:MessageType", true},
		{"kms:MultiRegion", true},
		{"kms:MultiRegionKeyType", false},
		{"kms:PrimaryRegion", false},
		{"kms:ReEncryptOnSameKey", true},
		{"kms:RecipientAttestation:ImageSha384", false},
		{"kms:RecipientAttestation:NitroTPMPCR<n>", false},
		{"kms:RecipientAttestation:PCR<n>", false},
		{"kms:ReplicaRegion", false},
		{"kms:RequestAlias", true},
		{"kms:ResourceAliases", true},
		{"kms:RetiringPrincipal", true},
		{"kms:RotationPeriodInDays", true},
		{"kms:ScheduleKeyDeletionPendingWindowInDays", true},
		{"kms:SigningAlgorithm", true},
		{"kms:ValidTo", true},
		{"kms:ViaService", false},
		{"kms:WrappingAlgorithm", true},
		{"kms:WrappingKeySpec", true},
		{"aws:CurrentTime", true},
		{"aws:EpochTime", true},
		{"aws:PrincipalAccount", true},
		{"aws:PrincipalArn", true},
		{"aws:PrincipalTag/<key>", true},
		{"aws:PrincipalType", true},
		{"aws:RequestTag/<key>", true},
		{"aws:RequestedRegion", true},
		{"aws:ResourceAccount", true},
		{"aws:ResourceTag/<key>", true},
		{"aws:SecureTransport", true},
		{"aws:SourceIp", true},
		{"aws:TagKeys", true},
		{"aws:UserAgent", true},
		{"aws:userid", true},
		{"aws:username", true},
	}
}

// KnownConditionKeys lists the condition keys that a [Context] has, each for the
// requests that it is about, sorted. A "<key>" at the end stands for a name, such as
// that of a tag. docs/policies.md says what each holds.
func KnownConditionKeys() []string {
	var known []string
	for _, k := range conditionKeys() {
		if k.filled {
			known = append(known, k.name)
		}
	}
	slices.Sort(known)
	return known
}

// checkKey refuses a key of the vendor kms: that AWS KMS does not have, since a
// misspelt condition would be one that never holds, or always, and those that AWS
// does not have in key policies. Keys of other vendors pass.
func checkKey(n node, inKeyPolicy bool) error {
	if !validKey(n.name) {
		return malformed(n.where, "%q is not a condition key", n.name)
	}
	key := strings.ToLower(n.name)
	if inKeyPolicy && (key == "kms:resourcealiases" || strings.HasPrefix(key, "aws:resourcetag/")) {
		return malformed(n.where, "the condition key is not permitted in a key policy").as(keysNotPermitted)
	}
	if strings.HasPrefix(key, "kms:") && !slices.ContainsFunc(conditionKeys(), func(k conditionKey) bool { return k.is(key) }) {
		return malformed(n.where, "AWS KMS has no condition key %q", n.name)
	}
	return nil
}

// is compares with a key in lower case.
func (k conditionKey) is(key string) bool {
	name, _, isPrefix := strings.Cut(strings.ToLower(k.name), "<")
	if isPrefix {
		return len(key) > len(name) && strings.HasPrefix(key, name)
	}
	return key == name
}

// validKey says whether a key has a vendor and a name, and nothing that belongs to
// the syntax of variables.
func validKey(key string) bool {
	vendor, name, ok := strings.Cut(key, ":")
	return ok && vendor != "" && name != "" && !strings.ContainsAny(key, "${}*?'")
}
