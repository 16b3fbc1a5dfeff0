package describe_test

// cipherOperations are the facts on encryption and random bytes. One thing is not as
// in the model: Decrypt and ReEncrypt require the ciphertext, which the model leaves
// out for dry runs without one; these are not supported.
func cipherOperations() map[string]operation {
	return map[string]operation{
		"Encrypt": {
			in:       "KeyId*: string 1..2048; Plaintext*: blob 1..4096; EncryptionContext: map<string,string>; GrantTokens: list<string 1..8192> 0..10; EncryptionAlgorithm: enum EncryptionAlgorithmSpec; DryRun: boolean",
			out:      "CiphertextBlob: blob 1..6144; KeyId: string 1..2048; EncryptionAlgorithm: enum EncryptionAlgorithmSpec",
			errors:   "NotFound, Disabled, KeyUnavailable, DependencyTimeout, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "SYMMETRIC", crossAccount: true,
		},
		"Decrypt": {
			in:       "CiphertextBlob*: blob 1..6144; EncryptionContext: map<string,string>; GrantTokens: list<string 1..8192> 0..10; KeyId: string 1..2048; EncryptionAlgorithm: enum EncryptionAlgorithmSpec; Recipient: struct RecipientInfo; DryRun: boolean; DryRunModifiers: list<enum DryRunModifierType>",
			out:      "KeyId: string 1..2048; Plaintext: blob 1..4096; EncryptionAlgorithm: enum EncryptionAlgorithmSpec; CiphertextForRecipient: blob 1..6144; KeyMaterialId: string 64..64 /^[a-f0-9]+$/",
			errors:   "NotFound, Disabled, InvalidCiphertext, KeyUnavailable, IncorrectKey, InvalidKeyUsage, DependencyTimeout, InvalidGrantToken, KMSInternal, KMSInvalidState, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "SYMMETRIC", crossAccount: true,
		},
		"ReEncrypt": {
			in:       "CiphertextBlob*: blob 1..6144; SourceEncryptionContext: map<string,string>; SourceKeyId: string 1..2048; DestinationKeyId*: string 1..2048; DestinationEncryptionContext: map<string,string>; SourceEncryptionAlgorithm: enum EncryptionAlgorithmSpec; DestinationEncryptionAlgorithm: enum EncryptionAlgorithmSpec; GrantTokens: list<string 1..8192> 0..10; DryRun: boolean; DryRunModifiers: list<enum DryRunModifierType>",
			out:      "CiphertextBlob: blob 1..6144; SourceKeyId: string 1..2048; KeyId: string 1..2048; SourceEncryptionAlgorithm: enum EncryptionAlgorithmSpec; DestinationEncryptionAlgorithm: enum EncryptionAlgorithmSpec; SourceKeyMaterialId: string 64..64 /^[a-f0-9]+$/; DestinationKeyMaterialId: string 64..64 /^[a-f0-9]+$/",
			errors:   "NotFound, Disabled, InvalidCiphertext, KeyUnavailable, IncorrectKey, DependencyTimeout, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "SYMMETRIC", crossAccount: true,
		},
		"GenerateDataKey": {
			in:       "KeyId*: string 1..2048; EncryptionContext: map<string,string>; NumberOfBytes: integer 1..1024; KeySpec: enum DataKeySpec; GrantTokens: list<string 1..8192> 0..10; Recipient: struct RecipientInfo; DryRun: boolean",
			out:      "CiphertextBlob: blob 1..6144; Plaintext: blob 1..4096; KeyId: string 1..2048; CiphertextForRecipient: blob 1..6144; KeyMaterialId: string 64..64 /^[a-f0-9]+$/",
			errors:   "NotFound, Disabled, KeyUnavailable, DependencyTimeout, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "SYMMETRIC", crossAccount: true,
		},
		"GenerateDataKeyWithoutPlaintext": {
			in:       "KeyId*: string 1..2048; EncryptionContext: map<string,string>; KeySpec: enum DataKeySpec; NumberOfBytes: integer 1..1024; GrantTokens: list<string 1..8192> 0..10; DryRun: boolean",
			out:      "CiphertextBlob: blob 1..6144; KeyId: string 1..2048; KeyMaterialId: string 64..64 /^[a-f0-9]+$/",
			errors:   "NotFound, Disabled, KeyUnavailable, DependencyTimeout, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "SYMMETRIC", crossAccount: true,
		},
		"GenerateRandom": {
			in:       "NumberOfBytes: integer 1..1024; CustomKeyStoreId: string 1..64; Recipient: struct RecipientInfo",
			out:      "Plaintext: blob 1..4096; CiphertextForRecipient: blob 1..6144",
			errors:   "DependencyTimeout, KMSInternal, UnsupportedOperation, CustomKeyStoreNotFound, CustomKeyStoreInvalidState",
			readOnly: true, resource: "ACCOUNT", quota: "SYMMETRIC", omitRequest: true,
		},
	}
}

// asymmetricOperations are the facts on key pairs.
func asymmetricOperations() map[string]operation {
	return map[string]operation{
		"Sign": {
			in:       "KeyId*: string 1..2048; Message*: blob 1..4096; MessageType: enum MessageType; GrantTokens: list<string 1..8192> 0..10; SigningAlgorithm*: enum SigningAlgorithmSpec; DryRun: boolean",
			out:      "KeyId: string 1..2048; Signature: blob 1..6144; SigningAlgorithm: enum SigningAlgorithmSpec",
			errors:   "NotFound, Disabled, KeyUnavailable, DependencyTimeout, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "ASYMMETRIC", crossAccount: true,
		},
		"Verify": {
			in:       "KeyId*: string 1..2048; Message*: blob 1..4096; MessageType: enum MessageType; Signature*: blob 1..6144; SigningAlgorithm*: enum SigningAlgorithmSpec; GrantTokens: list<string 1..8192> 0..10; DryRun: boolean",
			out:      "KeyId: string 1..2048; SignatureValid: boolean; SigningAlgorithm: enum SigningAlgorithmSpec",
			errors:   "NotFound, Disabled, KeyUnavailable, DependencyTimeout, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, KMSInvalidSignature, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "ASYMMETRIC", crossAccount: true,
		},
		"DeriveSharedSecret": {
			in:       "KeyId*: string 1..2048; KeyAgreementAlgorithm*: enum KeyAgreementAlgorithmSpec; PublicKey*: blob 1..8192; GrantTokens: list<string 1..8192> 0..10; DryRun: boolean; Recipient: struct RecipientInfo",
			out:      "KeyId: string 1..2048; SharedSecret: blob 1..4096; CiphertextForRecipient: blob 1..6144; KeyAgreementAlgorithm: enum KeyAgreementAlgorithmSpec; KeyOrigin: enum OriginType",
			errors:   "NotFound, Disabled, KeyUnavailable, DependencyTimeout, InvalidGrantToken, InvalidKeyUsage, KMSInternal, KMSInvalidState, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "ASYMMETRIC", crossAccount: true,
		},
		"GetPublicKey": {
			in:       "KeyId*: string 1..2048; GrantTokens: list<string 1..8192> 0..10",
			out:      "KeyId: string 1..2048; PublicKey: blob 1..8192; CustomerMasterKeySpec: enum CustomerMasterKeySpec; KeySpec: enum KeySpec; KeyUsage: enum KeyUsageType; EncryptionAlgorithms: list<enum EncryptionAlgorithmSpec>; SigningAlgorithms: list<enum SigningAlgorithmSpec>; KeyAgreementAlgorithms: list<enum KeyAgreementAlgorithmSpec>",
			errors:   "NotFound, Disabled, KeyUnavailable, DependencyTimeout, UnsupportedOperation, InvalidArn, InvalidGrantToken, InvalidKeyUsage, KMSInternal, KMSInvalidState",
			readOnly: true, resource: "KEY", quota: "2000", crossAccount: true,
		},
		"GenerateDataKeyPair": {
			in:       "EncryptionContext: map<string,string>; KeyId*: string 1..2048; KeyPairSpec*: enum DataKeyPairSpec; GrantTokens: list<string 1..8192> 0..10; Recipient: struct RecipientInfo; DryRun: boolean",
			out:      "PrivateKeyCiphertextBlob: blob 1..6144; PrivateKeyPlaintext: blob 1..4096; PublicKey: blob 1..8192; KeyId: string 1..2048; KeyPairSpec: enum DataKeyPairSpec; CiphertextForRecipient: blob 1..6144; KeyMaterialId: string 64..64 /^[a-f0-9]+$/",
			errors:   "NotFound, Disabled, KeyUnavailable, DependencyTimeout, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, UnsupportedOperation, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "DATA_KEY_PAIR", crossAccount: true,
		},
		"GenerateDataKeyPairWithoutPlaintext": {
			in:       "EncryptionContext: map<string,string>; KeyId*: string 1..2048; KeyPairSpec*: enum DataKeyPairSpec; GrantTokens: list<string 1..8192> 0..10; DryRun: boolean",
			out:      "PrivateKeyCiphertextBlob: blob 1..6144; PublicKey: blob 1..8192; KeyId: string 1..2048; KeyPairSpec: enum DataKeyPairSpec; KeyMaterialId: string 64..64 /^[a-f0-9]+$/",
			errors:   "NotFound, Disabled, KeyUnavailable, DependencyTimeout, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, UnsupportedOperation, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "DATA_KEY_PAIR", crossAccount: true,
		},
	}
}

// macOperations are the facts on HMACs.
func macOperations() map[string]operation {
	return map[string]operation{
		"GenerateMac": {
			in:       "Message*: blob 1..4096; KeyId*: string 1..2048; MacAlgorithm*: enum MacAlgorithmSpec; GrantTokens: list<string 1..8192> 0..10; DryRun: boolean",
			out:      "Mac: blob 1..6144; MacAlgorithm: enum MacAlgorithmSpec; KeyId: string 1..2048",
			errors:   "NotFound, Disabled, KeyUnavailable, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidState, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "SYMMETRIC", crossAccount: true,
		},
		"VerifyMac": {
			in:       "Message*: blob 1..4096; KeyId*: string 1..2048; MacAlgorithm*: enum MacAlgorithmSpec; Mac*: blob 1..6144; GrantTokens: list<string 1..8192> 0..10; DryRun: boolean",
			out:      "KeyId: string 1..2048; MacValid: boolean; MacAlgorithm: enum MacAlgorithmSpec",
			errors:   "NotFound, Disabled, KeyUnavailable, InvalidKeyUsage, InvalidGrantToken, KMSInternal, KMSInvalidMac, KMSInvalidState, DryRunOperation",
			readOnly: true, resource: "KEY", quota: "SYMMETRIC", crossAccount: true,
		},
	}
}
