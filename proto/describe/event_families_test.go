package describe_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// eventText is an eventTest whose messages are in text form.
type eventText struct {
	method            string
	request, response string
	wantRequest       string
	wantResponse      string
}

const (
	materialID = "0000000000000000000000000000000000000000000000000000000000000000"
	null       = `null`
	withKeyID  = `{"keyId":"k"}`
)

// eventsFrom turns messages in text form into messages of their methods' types.
func eventsFrom(t *testing.T, api *describe.API, texts []eventText) []eventTest {
	t.Helper()
	tests := make([]eventTest, 0, len(texts))
	for _, tt := range texts {
		m := api.Method(kmsService + tt.method)
		tests = append(tests, eventTest{
			name: tt.method + " " + tt.request, method: tt.method,
			request: parsed(t, m.Request, tt.request), response: parsed(t, m.Response, tt.response),
			wantRequest: tt.wantRequest, wantResponse: tt.wantResponse,
		})
	}
	return tests
}

func parsed(t *testing.T, plan *describe.Message, text string) proto.Message {
	t.Helper()
	msg := dynamicpb.NewMessage(plan.Desc)
	if err := prototext.Unmarshal([]byte(text), msg); err != nil {
		t.Fatalf("%s: %v", plan.Desc.Name(), err)
	}
	return msg
}

// pairEvents are calls on key pairs and HMACs: neither messages, nor signatures
// and HMACs, nor answers are shown.
func pairEvents() []eventText {
	return []eventText{
		{
			"Sign", `key_id: "k" message: "m" signing_algorithm: SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256 grant_tokens: "t"`, `signature: "s"`,
			`{"keyId":"k","messageType":"RAW","signingAlgorithm":"ECDSA_SHA_256"}`, null,
		},
		{
			"Verify", `key_id: "k" message: "m" message_type: MESSAGE_TYPE_DIGEST signature: "s" signing_algorithm: SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256 dry_run: true`, `signature_valid: true`,
			`{"keyId":"k","messageType":"DIGEST","signingAlgorithm":"ECDSA_SHA_256","dryRun":true}`, null,
		},
		{
			"GenerateMac", `message: "m" key_id: "k" mac_algorithm: MAC_ALGORITHM_SPEC_HMAC_SHA_256`, `mac: "s"`,
			`{"keyId":"k","macAlgorithm":"HMAC_SHA_256"}`, null,
		},
		{
			"VerifyMac", `message: "m" key_id: "k" mac_algorithm: MAC_ALGORITHM_SPEC_HMAC_SHA_512 mac: "s" grant_tokens: "t"`, `mac_valid: true`,
			`{"keyId":"k","macAlgorithm":"HMAC_SHA_512"}`, null,
		},
		{
			"DeriveSharedSecret", `key_id: "k" key_agreement_algorithm: KEY_AGREEMENT_ALGORITHM_SPEC_ECDH public_key: "key" recipient {attestation_document: "d"}`, `shared_secret: "s"`,
			`{"keyId":"k","keyAgreementAlgorithm":"ECDH","publicKey":"a2V5"}`, null,
		},
		{"GetPublicKey", `key_id: "alias/k" grant_tokens: "t"`, `public_key: "key"`, `{"keyId":"alias/k"}`, null},
		{
			"GenerateDataKeyPair", `encryption_context {key: "a" value: "b"} key_id: "k" key_pair_spec: DATA_KEY_PAIR_SPEC_RSA_2048 recipient {}`, `private_key_plaintext: "s" public_key: "key"`,
			`{"encryptionContext":{"a":"b"},"keyId":"k","keyPairSpec":"RSA_2048"}`, null,
		},
		{
			"GenerateDataKeyPairWithoutPlaintext", `key_id: "k" key_pair_spec: DATA_KEY_PAIR_SPEC_ECC_NIST_P256 grant_tokens: "t"`, `private_key_ciphertext_blob: "c"`,
			`{"keyId":"k","keyPairSpec":"ECC_NIST_P256"}`, null,
		},
	}
}

// accessEvents are calls on tags, policies and grants: a grant's token is not
// shown.
func accessEvents() []eventText {
	return []eventText{
		{
			"TagResource", `key_id: "k" tags {tag_key: "a" tag_value: "b"} tags {tag_key: "c" tag_value: ""}`, ``,
			`{"keyId":"k","tags":[{"tagKey":"a","tagValue":"b"},{"tagKey":"c","tagValue":""}]}`, null,
		},
		{"UntagResource", `key_id: "k" tag_keys: ["a", "b"]`, ``, `{"keyId":"k","tagKeys":["a","b"]}`, null},
		{"ListResourceTags", `key_id: "k" limit: 5`, `tags {tag_key: "a" tag_value: "b"}`, `{"keyId":"k","limit":5}`, null},
		{"GetKeyPolicy", `key_id: "k" policy_name: "default"`, `policy: "{}"`, `{"keyId":"k","policyName":"default"}`, null},
		{
			"PutKeyPolicy", `key_id: "k" policy_name: "default" policy: "{\n}"`, ``,
			`{"keyId":"k","policyName":"default","policy":"{\n}","bypassPolicyLockoutSafetyCheck":false}`, null,
		},
		{"ListKeyPolicies", `key_id: "k" marker: "m"`, `policy_names: "default"`, `{"keyId":"k","marker":"m"}`, null},
		{
			"CreateGrant",
			`key_id: "k" grantee_principal: "p" retiring_principal: "r" operations: [GRANT_OPERATION_ENCRYPT, GRANT_OPERATION_RETIRE_GRANT] constraints {encryption_context_subset {key: "a" value: "b"}} grant_tokens: "t" name: "n"`,
			`grant_token: "secret token" grant_id: "g"`,
			`{"keyId":"k","granteePrincipal":"p","retiringPrincipal":"r","operations":["Encrypt","RetireGrant"],"constraints":{"encryptionContextSubset":{"a":"b"}},"name":"n"}`,
			`{"grantId":"g"}`,
		},
		{"ListGrants", `limit: 5 key_id: "k" grantee_principal: "p"`, `grants {grant_id: "g"}`, `{"limit":5,"keyId":"k","granteePrincipal":"p"}`, null},
		{"ListRetirableGrants", `retiring_principal: "p"`, `grants {grant_id: "g"}`, `{"retiringPrincipal":"p"}`, null},
		{"RetireGrant", `grant_token: "t"`, ``, null, null},
		{"RetireGrant", `key_id: "k" grant_id: "g"`, ``, `{"keyId":"k","grantId":"g"}`, null},
		{"RevokeGrant", `key_id: "k" grant_id: "g" dry_run: true`, ``, `{"keyId":"k","grantId":"g","dryRun":true}`, null},
	}
}

// materialEvents are calls on key material and its use: what wraps it is shown,
// neither the import token nor the material.
func materialEvents() []eventText {
	return []eventText{
		{"EnableKeyRotation", `key_id: "k" rotation_period_in_days: 90`, ``, `{"keyId":"k","rotationPeriodInDays":90}`, null},
		{"DisableKeyRotation", `key_id: "k"`, ``, withKeyID, null},
		{"GetKeyRotationStatus", `key_id: "k"`, `key_rotation_enabled: true`, withKeyID, null},
		{
			"ListKeyRotations", `key_id: "k" include_key_material: INCLUDE_KEY_MATERIAL_ALL_KEY_MATERIAL`, `truncated: true`,
			`{"keyId":"k","includeKeyMaterial":"ALL_KEY_MATERIAL"}`, null,
		},
		{"RotateKeyOnDemand", `key_id: "k"`, `key_id: "arn"`, withKeyID, `{"keyId":"arn"}`},
		{
			"GetParametersForImport", `key_id: "k" wrapping_algorithm: ALGORITHM_SPEC_RSAES_OAEP_SHA_256 wrapping_key_spec: WRAPPING_KEY_SPEC_RSA_2048`, `import_token: "t"`,
			`{"keyId":"k","wrappingAlgorithm":"RSAES_OAEP_SHA_256","wrappingKeySpec":"RSA_2048"}`, null,
		},
		{
			"ImportKeyMaterial",
			`key_id: "k" import_token: "t" encrypted_key_material: "m" valid_to {seconds: 1634233190} expiration_model: EXPIRATION_MODEL_TYPE_KEY_MATERIAL_EXPIRES import_type: IMPORT_TYPE_NEW_KEY_MATERIAL key_material_description: "d"`,
			`key_id: "arn" key_material_id: "` + materialID + `"`,
			`{"keyId":"k","validTo":"Oct 14, 2021, 5:39:50 PM","expirationModel":"KEY_MATERIAL_EXPIRES","importType":"NEW_KEY_MATERIAL","keyMaterialDescription":"d"}`,
			`{"keyId":"arn","keyMaterialId":"` + materialID + `"}`,
		},
		{
			"DeleteImportedKeyMaterial", `key_id: "k" key_material_id: "` + materialID + `"`, `key_id: "arn"`,
			`{"keyId":"k","keyMaterialId":"` + materialID + `"}`, `{"keyId":"arn"}`,
		},
		{
			"ReplicateKey", `key_id: "k" replica_region: "us-west-2"`, `replica_policy: "{}"`,
			`{"keyId":"k","replicaRegion":"us-west-2","bypassPolicyLockoutSafetyCheck":false,"description":""}`, `{"replicaPolicy":"{}"}`,
		},
		{"UpdatePrimaryRegion", `key_id: "k" primary_region: "us-west-2"`, ``, `{"keyId":"k","primaryRegion":"us-west-2"}`, null},
		{"GetKeyLastUsage", `key_id: "k"`, `key_id: "arn"`, withKeyID, null},
	}
}

// storeEvents are calls on custom key stores: CloudTrail has a name of its own for
// the cluster, and shows neither passwords nor certificates.
func storeEvents() []eventText {
	const id, justID = `custom_key_store_id: "cks-1"`, `{"customKeyStoreId":"cks-1"}`
	return []eventText{
		{
			"CreateCustomKeyStore", `custom_key_store_name: "s" cloud_hsm_cluster_id: "cluster-1a23b4cdefg" trust_anchor_certificate: "c" key_store_password: "p"`, id,
			`{"customKeyStoreName":"s","clusterId":"cluster-1a23b4cdefg"}`, justID,
		},
		{
			"UpdateCustomKeyStore", id + ` new_custom_key_store_name: "s" key_store_password: "p" cloud_hsm_cluster_id: "cluster-1a23b4cdefg" xks_proxy_authentication_credential {access_key_id: "a"}`, ``,
			`{"customKeyStoreId":"cks-1","newCustomKeyStoreName":"s","clusterId":"cluster-1a23b4cdefg"}`, null,
		},
		{"DescribeCustomKeyStores", `custom_key_store_name: "s"`, `truncated: true`, `{"customKeyStoreName":"s"}`, null},
		{"DeleteCustomKeyStore", id, ``, justID, null},
		{"ConnectCustomKeyStore", id, ``, justID, null},
		{"DisconnectCustomKeyStore", id, ``, justID, null},
	}
}
