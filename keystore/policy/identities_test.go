package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

func namesOf(documents []*policy.Document) []string {
	var names []string
	for _, d := range documents {
		names = append(names, d.Name())
	}
	return names
}

func TestIdentitiesOf(t *testing.T) {
	team := identityPolicy(t, "team", statements(mine))
	own := identityPolicy(t, "own", statements(describe))
	identities, err := policy.NewIdentities(
		map[string]*policy.Document{"team": team, "unused": own},
		map[string][]string{
			alice:   {"user", "team"},
			appRole: {"auditor"},
			"arn:aws:sts::000000000000:assumed-role/app/two":      {"team"},
			"arn:aws:iam::000000000000:role/x/twin":               {"admin"},
			"arn:aws:iam::000000000000:role/y/twin":               {"user"},
			"arn:aws:sts::000000000000:federated-user/federation": {"user"},
		},
		map[string][]*policy.Document{alice: {own}, rootUser: {own}})
	if err != nil {
		t.Fatal(err)
	}
	for principal, want := range map[string][]string{
		alice:       {"user", "team", "own"},
		rootUser:    {"own"},
		appRole:     {"auditor"},
		roleSession: {"auditor"},
		"arn:aws:sts::000000000000:assumed-role/app/two":      {"team", "auditor"},
		"arn:aws:sts::111111111111:assumed-role/app/one":      nil,
		"arn:aws:iam::000000000000:role/x/twin":               {"admin"},
		"arn:aws:sts::000000000000:assumed-role/twin/one":     nil, // whose of the two?
		"arn:aws:sts::000000000000:federated-user/federation": {"user"},
		foreigner:              nil,
		strings.ToUpper(alice): nil,
		"":                     nil,
	} {
		if diff := cmp.Diff(want, namesOf(identities.Of(principal))); diff != "" {
			t.Errorf("the policies of %q (-want +got):\n%s", principal, diff)
		}
	}
	if documents := (*policy.Identities)(nil).Of(alice); documents != nil {
		t.Errorf("without Identities %s has the policies %q", alice, namesOf(documents))
	}
}

func TestIdentitiesFaults(t *testing.T) {
	resource := keyPolicy(t, statements(toAll))
	own := identityPolicy(t, "own", statements(mine))
	_, err := policy.NewIdentities(
		map[string]*policy.Document{"": own, "admin": own, "key": resource, "nil": nil},
		map[string][]string{alice: {"key"}, appRole: nil},
		map[string][]*policy.Document{rootUser: {own, resource}, roleSession: {nil}, "nobody": {own}})
	if !errors.Is(err, policy.ErrInvalid) {
		t.Fatalf("NewIdentities: %v, want ErrInvalid", err)
	}
	for _, words := range []string{
		`a policy has no name`,
		`policy "admin": that is the name of a built-in policy`,
		`policy "key" is not an identity policy`,
		`policy "nil" is not an identity policy`,
		`principal "` + alice + `": there is no policy "key", only ["admin" "auditor" "user"]`,
		`principal "` + appRole + `" has no policy`,
		`principal "` + rootUser + `" has an inline policy that is not an identity policy`,
		`principal "` + roleSession + `" has an inline policy that is not an identity policy`,
		`principal "nobody" is not the ARN`,
	} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %q, want it to say %q", err, words)
		}
	}
}

// TestBuiltinUser has every action that the built-in policy "user" allows, and
// the others of AWS KMS.
func TestBuiltinUser(t *testing.T) {
	identities, err := policy.NewIdentities(nil, map[string][]string{alice: {"user"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{
		"Decrypt", "DeriveSharedSecret", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
		"GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GenerateRandom",
		"GetKeyLastUsage", "GetKeyPolicy", "GetKeyRotationStatus", "GetPublicKey", "ListAliases", "ListKeyPolicies",
		"ListKeyRotations", "ListKeys", "ListResourceTags", "ReEncryptFrom", "ReEncryptTo", "Sign", "Verify", "VerifyMac",
	} {
		checkUser(t, identities, action, true)
	}
	for _, action := range []string{
		"CancelKeyDeletion", "ConnectCustomKeyStore", "CreateAlias", "CreateCustomKeyStore", "CreateGrant", "CreateKey",
		"DeleteAlias", "DeleteCustomKeyStore", "DeleteImportedKeyMaterial", "DescribeCustomKeyStores", "DisableKey",
		"DisableKeyRotation", "DisconnectCustomKeyStore", "EnableKey", "EnableKeyRotation", "GetParametersForImport",
		"ImportKeyMaterial", "ListGrants", "ListRetirableGrants", "PutKeyPolicy", "ReplicateKey", "RetireGrant", "RevokeGrant",
		"RotateKeyOnDemand", "ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateAlias", "UpdateCustomKeyStore",
		"UpdateKeyDescription", "UpdatePrimaryRegion", "SynchronizeMultiRegionKey",
	} {
		checkUser(t, identities, action, false)
	}
}

func checkUser(t *testing.T, identities *policy.Identities, action string, want bool) {
	t.Helper()
	r := policy.Request{Principal: alice, Action: "kms:" + action, Resource: key}
	if got := policy.Decide(r, policy.Sources{Identity: identities.Of(alice)}).Allowed(); got != want {
		t.Errorf("a user may %s: %v, want %v", action, got, want)
	}
}

// TestAllocations expects decisions to allocate nothing, allowed or denied.
func TestAllocations(t *testing.T) {
	d := keyPolicy(t, tenStatements)
	identities, err := policy.NewIdentities(nil, map[string][]string{umaUser: {"user"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := policy.Request{
		Principal: umaUser, Action: "kms:Encrypt", Resource: key, Context: benchContext(),
		EncryptionContext: map[string]string{"department": "finance", "document": "document-3"},
	}
	for by, s := range map[string]policy.Sources{
		`policy "user", statement 1 (Use)`: {KeyPolicy: d, KeyAccount: account, Identity: identities.Of(umaUser), Grants: grantsOf(10)},
		"grant grant-3":                    {KeyPolicy: d, KeyAccount: account, Grants: grantsOf(10)},
		"":                                 {KeyPolicy: d, KeyAccount: account},
	} {
		if got := policy.Decide(r, s).By(); got != by {
			t.Errorf("decided by %q, want %q", got, by)
		}
		if n := testing.AllocsPerRun(100, func() { policy.Decide(r, s) }); n != 0 {
			t.Errorf("a decision by %q allocates %v times", by, n)
		}
	}
}
