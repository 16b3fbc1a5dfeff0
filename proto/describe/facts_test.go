package describe_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// operation is what AWS says of an operation: its shapes and errors in the
// notation of AWS's model (* marks a required member; ranges limit lengths and
// values; errors are without the suffix Exception), and what IAM, the quota
// tables and CloudTrail say.
type operation struct {
	in, out, errors string
	readOnly        bool
	resource        string
	quota           string
	crossAccount    bool
	omitRequest     bool // requestParameters is null
	showResponse    bool // responseElements is the answer
}

const (
	cryptoErrors  = "NotFound, Disabled, KeyUnavailable, DependencyTimeout, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, DryRunOperation"
	grantTokens   = "GrantTokens: list<string 1..8192> 0..10"
	context       = "EncryptionContext: map<string,string>"
	keyMaterialID = "KeyMaterialId: string 64..64 /^[a-f0-9]+$/"
	aliasName     = "AliasName*: string 1..256 /^[a-zA-Z0-9:/_-]+$/"
	stateErrors   = "NotFound, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState"
)

// keyOperations are the facts of AWS KMS, API version 2014-11-01, on keys and
// their metadata.
func keyOperations() map[string]operation {
	return map[string]operation{
		"CreateKey": {
			in:           `Policy: string 1..131072 /[\u0009\u000A\u000D\u0020-\u00FF]+/; Description: string 0..8192; KeyUsage: enum KeyUsageType; CustomerMasterKeySpec: enum CustomerMasterKeySpec; KeySpec: enum KeySpec; Origin: enum OriginType; CustomKeyStoreId: string 1..64; BypassPolicyLockoutSafetyCheck: boolean; Tags: list<struct Tag>; MultiRegion: boolean; XksKeyId: string 1..128 /^[a-zA-Z0-9-_.]+$/`,
			out:          "KeyMetadata: struct KeyMetadata",
			errors:       "MalformedPolicyDocument, DependencyTimeout, InvalidArn, UnsupportedOperation, KMSInternal, LimitExceeded, Tag, CustomKeyStoreNotFound, CustomKeyStoreInvalidState, CloudHsmClusterInvalidConfiguration, XksKeyInvalidConfiguration, XksKeyAlreadyInUse, XksKeyNotFound",
			resource:     "ACCOUNT",
			quota:        "5",
			showResponse: true,
		},
		"DescribeKey": {
			in:           "KeyId*: string 1..2048; " + grantTokens,
			out:          "KeyMetadata: struct KeyMetadata",
			errors:       "NotFound, InvalidArn, DependencyTimeout, KMSInternal",
			readOnly:     true,
			resource:     "KEY",
			quota:        "2000",
			crossAccount: true,
		},
		"ListKeys": {
			in:       `Limit: integer 1..1000; Marker: string 1..1024 /[\u0020-\u00FF]*/`,
			out:      `Keys: list<struct KeyListEntry>; NextMarker: string 1..1024 /[\u0020-\u00FF]*/; Truncated: boolean`,
			errors:   "DependencyTimeout, KMSInternal, InvalidMarker",
			readOnly: true,
			resource: "ACCOUNT",
			quota:    "500",
		},
	}
}

// lifecycleOperations are the facts on a key's states and its aliases.
func lifecycleOperations() map[string]operation {
	return map[string]operation{
		"EnableKey": {
			in: "KeyId*: string 1..2048", errors: "NotFound, InvalidArn, DependencyTimeout, KMSInternal, LimitExceeded, KMSInvalidState",
			resource: "KEY", quota: "5",
		},
		"DisableKey": {in: "KeyId*: string 1..2048", errors: stateErrors, resource: "KEY", quota: "5"},
		"UpdateKeyDescription": {
			in: "KeyId*: string 1..2048; Description*: string 0..8192", errors: stateErrors, resource: "KEY", quota: "5",
		},
		"ScheduleKeyDeletion": {
			in:     "KeyId*: string 1..2048; PendingWindowInDays: integer 1..365",
			out:    "KeyId: string 1..2048; DeletionDate: timestamp; KeyState: enum KeyState; PendingWindowInDays: integer 1..365",
			errors: stateErrors, resource: "KEY", quota: "15", showResponse: true,
		},
		"CancelKeyDeletion": {
			in: "KeyId*: string 1..2048", out: "KeyId: string 1..2048",
			errors: stateErrors, resource: "KEY", quota: "5", showResponse: true,
		},
		"CreateAlias": {
			in:       aliasName + "; TargetKeyId*: string 1..2048",
			errors:   "DependencyTimeout, AlreadyExists, NotFound, InvalidAliasName, KMSInternal, LimitExceeded, KMSInvalidState",
			resource: "ALIAS", quota: "5",
		},
		"UpdateAlias": {
			in:       aliasName + "; TargetKeyId*: string 1..2048",
			errors:   "DependencyTimeout, NotFound, KMSInternal, LimitExceeded, KMSInvalidState",
			resource: "ALIAS", quota: "5",
		},
		"DeleteAlias": {
			in: aliasName, errors: "DependencyTimeout, NotFound, KMSInternal, KMSInvalidState", resource: "ALIAS", quota: "15",
		},
		"ListAliases": {
			in:       `KeyId: string 1..2048; Limit: integer 1..1000; Marker: string 1..1024 /[\u0020-\u00FF]*/`,
			out:      `Aliases: list<struct AliasListEntry>; NextMarker: string 1..1024 /[\u0020-\u00FF]*/; Truncated: boolean`,
			errors:   "DependencyTimeout, InvalidMarker, KMSInternal, InvalidArn, NotFound",
			readOnly: true, resource: "ACCOUNT", quota: "500",
		},
	}
}

// reEncrypt is the fact on ReEncrypt; the ciphertext is required, as it is in
// Decrypt.
func reEncrypt() operation {
	return operation{
		in:           "CiphertextBlob*: blob 1..6144; SourceEncryptionContext: map<string,string>; SourceKeyId: string 1..2048; DestinationKeyId*: string 1..2048; DestinationEncryptionContext: map<string,string>; SourceEncryptionAlgorithm: enum EncryptionAlgorithmSpec; DestinationEncryptionAlgorithm: enum EncryptionAlgorithmSpec; " + grantTokens + "; DryRun: boolean; DryRunModifiers: list<enum DryRunModifierType>",
		out:          "CiphertextBlob: blob 1..6144; SourceKeyId: string 1..2048; KeyId: string 1..2048; SourceEncryptionAlgorithm: enum EncryptionAlgorithmSpec; DestinationEncryptionAlgorithm: enum EncryptionAlgorithmSpec; Source" + keyMaterialID + "; Destination" + keyMaterialID,
		errors:       "NotFound, Disabled, InvalidCiphertext, KeyUnavailable, IncorrectKey, DependencyTimeout, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, DryRunOperation",
		readOnly:     true,
		resource:     "KEY",
		quota:        "SYMMETRIC",
		crossAccount: true,
	}
}

// cryptoOperations are the facts on cryptographic operations. One thing is not as
// in the model: Decrypt requires the ciphertext, which the model leaves out for
// dry runs without one; these are not supported.
func cryptoOperations() map[string]operation {
	return map[string]operation{
		"Encrypt": {
			in:           "KeyId*: string 1..2048; Plaintext*: blob 1..4096; " + context + "; " + grantTokens + "; EncryptionAlgorithm: enum EncryptionAlgorithmSpec; DryRun: boolean",
			out:          "CiphertextBlob: blob 1..6144; KeyId: string 1..2048; EncryptionAlgorithm: enum EncryptionAlgorithmSpec",
			errors:       cryptoErrors,
			readOnly:     true,
			resource:     "KEY",
			quota:        "SYMMETRIC",
			crossAccount: true,
		},
		"Decrypt": {
			in:           "CiphertextBlob*: blob 1..6144; " + context + "; " + grantTokens + "; KeyId: string 1..2048; EncryptionAlgorithm: enum EncryptionAlgorithmSpec; Recipient: struct RecipientInfo; DryRun: boolean; DryRunModifiers: list<enum DryRunModifierType>",
			out:          "KeyId: string 1..2048; Plaintext: blob 1..4096; EncryptionAlgorithm: enum EncryptionAlgorithmSpec; CiphertextForRecipient: blob 1..6144; " + keyMaterialID,
			errors:       "NotFound, Disabled, InvalidCiphertext, KeyUnavailable, IncorrectKey, InvalidKeyUsage, DependencyTimeout, InvalidGrantToken, KMSInternal, KMSInvalidState, DryRunOperation",
			readOnly:     true,
			resource:     "KEY",
			quota:        "SYMMETRIC",
			crossAccount: true,
		},
		"GenerateDataKey": {
			in:           "KeyId*: string 1..2048; " + context + "; NumberOfBytes: integer 1..1024; KeySpec: enum DataKeySpec; " + grantTokens + "; Recipient: struct RecipientInfo; DryRun: boolean",
			out:          "CiphertextBlob: blob 1..6144; Plaintext: blob 1..4096; KeyId: string 1..2048; CiphertextForRecipient: blob 1..6144; " + keyMaterialID,
			errors:       cryptoErrors,
			readOnly:     true,
			resource:     "KEY",
			quota:        "SYMMETRIC",
			crossAccount: true,
		},
		"GenerateDataKeyWithoutPlaintext": {
			in:           "KeyId*: string 1..2048; " + context + "; KeySpec: enum DataKeySpec; NumberOfBytes: integer 1..1024; " + grantTokens + "; DryRun: boolean",
			out:          "CiphertextBlob: blob 1..6144; KeyId: string 1..2048; " + keyMaterialID,
			errors:       cryptoErrors,
			readOnly:     true,
			resource:     "KEY",
			quota:        "SYMMETRIC",
			crossAccount: true,
		},
		"GenerateRandom": {
			in:          "NumberOfBytes: integer 1..1024; CustomKeyStoreId: string 1..64; Recipient: struct RecipientInfo",
			out:         "Plaintext: blob 1..4096; CiphertextForRecipient: blob 1..6144",
			errors:      "DependencyTimeout, KMSInternal, UnsupportedOperation, CustomKeyStoreNotFound, CustomKeyStoreInvalidState",
			readOnly:    true,
			resource:    "ACCOUNT",
			quota:       "SYMMETRIC",
			omitRequest: true,
		},
	}
}

func TestOperationsAreAsAWSHasThem(t *testing.T) {
	want := keyOperations()
	maps.Copy(want, lifecycleOperations())
	maps.Copy(want, cryptoOperations())
	want["ReEncrypt"] = reEncrypt()
	got := make(map[string]operation)
	for _, m := range compiled(t).Services()[0].Methods {
		got[m.Name] = operation{
			in:           shape(m.Request),
			out:          shape(m.Response),
			errors:       exceptions(m),
			readOnly:     m.ReadOnly,
			resource:     strings.TrimPrefix(m.Resource.String(), "RESOURCE_KIND_"),
			quota:        strings.TrimPrefix(m.Quota.String(), "QUOTA_CLASS_"),
			crossAccount: m.CrossAccount,
			omitRequest:  m.EventOmitRequest,
			showResponse: m.EventResponse,
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(operation{})); diff != "" {
		t.Errorf("operations (-AWS +proto):\n%s", diff)
	}
}

// structures are the members of AWS's structures.
func structures() map[string]string {
	return map[string]string{
		"KeyMetadata":              "AWSAccountId: string; KeyId: string 1..2048; Arn: string 20..2048; CreationDate: timestamp; Enabled: boolean; Description: string 0..8192; KeyUsage: enum KeyUsageType; KeyState: enum KeyState; DeletionDate: timestamp; ValidTo: timestamp; Origin: enum OriginType; CustomKeyStoreId: string 1..64; CloudHsmClusterId: string 19..24 /cluster-[2-7a-zA-Z]{11,16}/; ExpirationModel: enum ExpirationModelType; KeyManager: enum KeyManagerType; CustomerMasterKeySpec: enum CustomerMasterKeySpec; KeySpec: enum KeySpec; EncryptionAlgorithms: list<enum EncryptionAlgorithmSpec>; SigningAlgorithms: list<enum SigningAlgorithmSpec>; KeyAgreementAlgorithms: list<enum KeyAgreementAlgorithmSpec>; MultiRegion: boolean; MultiRegionConfiguration: struct MultiRegionConfiguration; PendingDeletionWindowInDays: integer 1..365; MacAlgorithms: list<enum MacAlgorithmSpec>; XksKeyConfiguration: struct XksKeyConfigurationType; CurrentKeyMaterialId: string 64..64 /^[a-f0-9]+$/",
		"AliasListEntry":           "AliasName: string 1..256 /^[a-zA-Z0-9:/_-]+$/; AliasArn: string 20..2048; TargetKeyId: string 1..2048; CreationDate: timestamp; LastUpdatedDate: timestamp",
		"KeyListEntry":             "KeyId: string 1..2048; KeyArn: string 20..2048",
		"Tag":                      "TagKey*: string 1..128; TagValue*: string 0..256",
		"RecipientInfo":            "KeyEncryptionAlgorithm: enum KeyEncryptionMechanism; AttestationDocument: blob 1..262144",
		"MultiRegionConfiguration": "MultiRegionKeyType: enum MultiRegionKeyType; PrimaryKey: struct MultiRegionKey; ReplicaKeys: list<struct MultiRegionKey>",
		"MultiRegionKey":           `Arn: string 20..2048; Region: string 1..32 /^([a-z]+-){2,3}\d+$/`,
		"XksKeyConfigurationType":  "Id: string 1..128 /^[a-zA-Z0-9-_.]+$/",
	}
}

func TestStructuresAreAsAWSHasThem(t *testing.T) {
	got := make(map[string]string)
	reachable(compiled(t), func(m *describe.Message) {
		isStructure := !strings.HasSuffix(m.WireName, "Request") && !strings.HasSuffix(m.WireName, "Response")
		if m.Desc.ParentFile().Package() == "strongroom.kms.v1" && isStructure {
			got[m.WireName] = shape(m)
		}
	})
	if diff := cmp.Diff(structures(), got); diff != "" {
		t.Errorf("structures (-AWS +proto):\n%s", diff)
	}
}

// enums are the values of AWS's enums.
func enums() map[string]string {
	return map[string]string{
		"KeySpec":                   "RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2, ML_DSA_44, ML_DSA_65, ML_DSA_87, ECC_NIST_EDWARDS25519",
		"CustomerMasterKeySpec":     "RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2",
		"KeyUsageType":              "SIGN_VERIFY, ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, KEY_AGREEMENT",
		"OriginType":                "AWS_KMS, EXTERNAL, AWS_CLOUDHSM, EXTERNAL_KEY_STORE",
		"KeyState":                  "Creating, Enabled, Disabled, PendingDeletion, PendingImport, PendingReplicaDeletion, Unavailable, Updating",
		"EncryptionAlgorithmSpec":   "SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE",
		"SigningAlgorithmSpec":      "RSASSA_PSS_SHA_256, RSASSA_PSS_SHA_384, RSASSA_PSS_SHA_512, RSASSA_PKCS1_V1_5_SHA_256, RSASSA_PKCS1_V1_5_SHA_384, RSASSA_PKCS1_V1_5_SHA_512, ECDSA_SHA_256, ECDSA_SHA_384, ECDSA_SHA_512, SM2DSA, ML_DSA_SHAKE_256, ED25519_SHA_512, ED25519_PH_SHA_512",
		"MacAlgorithmSpec":          "HMAC_SHA_224, HMAC_SHA_256, HMAC_SHA_384, HMAC_SHA_512",
		"KeyAgreementAlgorithmSpec": "ECDH",
		"DataKeySpec":               "AES_256, AES_128",
		"KeyManagerType":            "AWS, CUSTOMER",
		"ExpirationModelType":       "KEY_MATERIAL_EXPIRES, KEY_MATERIAL_DOES_NOT_EXPIRE",
		"MultiRegionKeyType":        "PRIMARY, REPLICA",
		"KeyEncryptionMechanism":    "RSAES_OAEP_SHA_256",
		"DryRunModifierType":        "IGNORE_CIPHERTEXT",
	}
}

func TestEnumsAreAsAWSHasThem(t *testing.T) {
	got := make(map[string]string)
	reachable(compiled(t), func(m *describe.Message) {
		for _, f := range m.Fields {
			if f.Enum != nil && f.Enum.Desc.ParentFile().Package() == "strongroom.kms.v1" {
				got[string(f.Enum.Desc.Name())] = strings.Join(f.Enum.Names(), ", ")
			}
		}
	})
	if diff := cmp.Diff(enums(), got); diff != "" {
		t.Errorf("enums (-AWS +proto):\n%s", diff)
	}
}

// conditionKeys are the IAM condition keys that AWS KMS takes from requests of
// these operations.
func conditionKeys() map[string][]string {
	crypto := []string{"kms:EncryptionAlgorithm", "kms:EncryptionContext:<name>", "kms:EncryptionContextKeys"}
	dataKey := []string{"kms:EncryptionContext:<name>", "kms:EncryptionContextKeys"}
	return map[string][]string{
		"CreateKey": {
			"aws:RequestTag/<name>", "aws:TagKeys", "kms:BypassPolicyLockoutSafetyCheck",
			"kms:CustomerMasterKeySpec", "kms:KeyOrigin", "kms:KeySpec", "kms:KeyUsage", "kms:MultiRegion",
		},
		"ScheduleKeyDeletion":             {"kms:ScheduleKeyDeletionPendingWindowInDays"},
		"ReEncrypt":                       slices.Sorted(slices.Values(append(slices.Clone(crypto), crypto...))),
		"Encrypt":                         crypto,
		"Decrypt":                         crypto,
		"GenerateDataKey":                 dataKey,
		"GenerateDataKeyWithoutPlaintext": dataKey,
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

// shape writes a plan in the notation of AWS's model.
func shape(m *describe.Message) string {
	var members []string
	for _, f := range m.Fields {
		name := f.WireName
		if f.Required {
			name += "*"
		}
		members = append(members, name+": "+typeOf(f))
	}
	return strings.Join(members, "; ")
}

func typeOf(f *describe.Field) string {
	switch {
	case f.List:
		return "list<" + scalar(f) + limited(f.ItemSize, f.ItemPattern) + ">" + limited(f.Size, nil)
	case f.Map:
		return "map<string" + limited(f.MapKeySize, nil) + "," + scalar(f) + limited(f.ItemSize, f.ItemPattern) + ">" + limited(f.Size, nil)
	}
	return scalar(f) + limited(f.Size, f.Pattern)
}

func scalar(f *describe.Field) string {
	switch f.Kind {
	case describe.KindBool:
		return "boolean"
	case describe.KindInt:
		return "integer"
	case describe.KindString:
		return "string"
	case describe.KindBytes:
		return "blob"
	case describe.KindTimestamp:
		return "timestamp"
	case describe.KindEnum:
		return "enum " + string(f.Enum.Desc.Name())
	case describe.KindMessage:
		return "struct " + f.Message.WireName
	}
	return fmt.Sprintf("kind %d", f.Kind)
}

func limited(size *describe.Range, pattern *describe.Pattern) string {
	var s string
	if size != nil {
		s += fmt.Sprintf(" %d..%d", size.Min, size.Max)
	}
	if pattern != nil {
		s += " /" + pattern.Text + "/"
	}
	return s
}

func exceptions(m *describe.Method) string {
	var names []string
	for _, kind := range m.Errors() {
		names = append(names, strings.TrimSuffix(describe.ErrorOf(kind).Name, "Exception"))
	}
	return strings.Join(names, ", ")
}
