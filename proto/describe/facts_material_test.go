package describe_test

// rotationOperations are the facts on the rotation of keys.
func rotationOperations() map[string]operation {
	return map[string]operation{
		"EnableKeyRotation": {
			in:       "KeyId*: string 1..2048; RotationPeriodInDays: integer 90..2560",
			errors:   "NotFound, Disabled, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState, UnsupportedOperation",
			resource: "KEY", quota: "15",
		},
		"DisableKeyRotation": {
			in:       "KeyId*: string 1..2048",
			errors:   "NotFound, Disabled, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState, UnsupportedOperation",
			resource: "KEY", quota: "5",
		},
		"GetKeyRotationStatus": {
			in:       "KeyId*: string 1..2048",
			out:      "KeyRotationEnabled: boolean; KeyId: string 1..2048; RotationPeriodInDays: integer 90..2560; NextRotationDate: timestamp; OnDemandRotationStartDate: timestamp",
			errors:   "NotFound, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState, UnsupportedOperation",
			readOnly: true, resource: "KEY", quota: "1000", crossAccount: true,
		},
		"ListKeyRotations": {
			in:       `KeyId*: string 1..2048; IncludeKeyMaterial: enum IncludeKeyMaterial; Limit: integer 1..1000; Marker: string 1..1024 /[\u0020-\u00FF]*/`,
			out:      `Rotations: list<struct RotationsListEntry>; NextMarker: string 1..1024 /[\u0020-\u00FF]*/; Truncated: boolean`,
			errors:   "NotFound, InvalidArn, InvalidMarker, KMSInternal, KMSInvalidState, UnsupportedOperation",
			readOnly: true, resource: "KEY", quota: "100",
		},
		"RotateKeyOnDemand": {
			in:       "KeyId*: string 1..2048",
			out:      "KeyId: string 1..2048",
			errors:   "NotFound, Disabled, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState, UnsupportedOperation, LimitExceeded, Conflict",
			resource: "KEY", quota: "5", showResponse: true,
		},
	}
}

// importOperations are the facts on imported key material.
func importOperations() map[string]operation {
	return map[string]operation{
		"GetParametersForImport": {
			in:       "KeyId*: string 1..2048; WrappingAlgorithm*: enum AlgorithmSpec; WrappingKeySpec*: enum WrappingKeySpec",
			out:      "KeyId: string 1..2048; ImportToken: blob 1..6144; PublicKey: blob 1..4096; ParametersValidTo: timestamp",
			errors:   "InvalidArn, UnsupportedOperation, DependencyTimeout, NotFound, KMSInternal, KMSInvalidState",
			readOnly: true, resource: "KEY", quota: "1",
		},
		"ImportKeyMaterial": {
			in:       `KeyId*: string 1..2048; ImportToken*: blob 1..6144; EncryptedKeyMaterial*: blob 1..6144; ValidTo: timestamp; ExpirationModel: enum ExpirationModelType; ImportType: enum ImportType; KeyMaterialDescription: string 0..256 /^[a-zA-Z0-9:/_\s.-]+$/; KeyMaterialId: string 64..64 /^[a-f0-9]+$/`,
			out:      "KeyId: string 1..2048; KeyMaterialId: string 64..64 /^[a-f0-9]+$/",
			errors:   "InvalidArn, UnsupportedOperation, DependencyTimeout, NotFound, KMSInternal, KMSInvalidState, InvalidCiphertext, IncorrectKeyMaterial, ExpiredImportToken, InvalidImportToken",
			resource: "KEY", quota: "15", showResponse: true,
		},
		"DeleteImportedKeyMaterial": {
			in:       "KeyId*: string 1..2048; KeyMaterialId: string 64..64 /^[a-f0-9]+$/",
			out:      "KeyId: string 1..2048; KeyMaterialId: string 0..64 /^[a-f0-9]+$/",
			errors:   "InvalidArn, UnsupportedOperation, DependencyTimeout, NotFound, KMSInternal, KMSInvalidState",
			resource: "KEY", quota: "15", showResponse: true,
		},
	}
}

// regionOperations are the facts on multi-Region keys.
func regionOperations() map[string]operation {
	return map[string]operation{
		"ReplicateKey": {
			in:       `KeyId*: string 1..2048; ReplicaRegion*: string 1..32 /^([a-z]+-){2,3}\d+$/; Policy: string 1..131072 /[\u0009\u000A\u000D\u0020-\u00FF]+/; BypassPolicyLockoutSafetyCheck: boolean; Description: string 0..8192; Tags: list<struct Tag>`,
			out:      `ReplicaKeyMetadata: struct KeyMetadata; ReplicaPolicy: string 1..131072 /[\u0009\u000A\u000D\u0020-\u00FF]+/; ReplicaTags: list<struct Tag>`,
			errors:   "AlreadyExists, Disabled, InvalidArn, KMSInvalidState, KMSInternal, LimitExceeded, MalformedPolicyDocument, NotFound, Tag, UnsupportedOperation",
			resource: "KEY", quota: "5", showResponse: true,
		},
		"UpdatePrimaryRegion": {
			in:       `KeyId*: string 1..2048; PrimaryRegion*: string 1..32 /^([a-z]+-){2,3}\d+$/`,
			errors:   "Disabled, InvalidArn, KMSInvalidState, KMSInternal, NotFound, UnsupportedOperation",
			resource: "KEY", quota: "5",
		},
	}
}
