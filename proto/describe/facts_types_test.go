package describe_test

// structures are the members of AWS's structures. What is required of answers is not
// marked: KeyMetadata's KeyId.
func structures() map[string]string {
	return map[string]string{
		"KeyMetadata":                          "AWSAccountId: string; KeyId: string 1..2048; Arn: string 20..2048; CreationDate: timestamp; Enabled: boolean; Description: string 0..8192; KeyUsage: enum KeyUsageType; KeyState: enum KeyState; DeletionDate: timestamp; ValidTo: timestamp; Origin: enum OriginType; CustomKeyStoreId: string 1..64; CloudHsmClusterId: string 19..24 /cluster-[2-7a-zA-Z]{11,16}/; ExpirationModel: enum ExpirationModelType; KeyManager: enum KeyManagerType; CustomerMasterKeySpec: enum CustomerMasterKeySpec; KeySpec: enum KeySpec; EncryptionAlgorithms: list<enum EncryptionAlgorithmSpec>; SigningAlgorithms: list<enum SigningAlgorithmSpec>; KeyAgreementAlgorithms: list<enum KeyAgreementAlgorithmSpec>; MultiRegion: boolean; MultiRegionConfiguration: struct MultiRegionConfiguration; PendingDeletionWindowInDays: integer 1..365; MacAlgorithms: list<enum MacAlgorithmSpec>; XksKeyConfiguration: struct XksKeyConfigurationType; CurrentKeyMaterialId: string 64..64 /^[a-f0-9]+$/",
		"CustomKeyStoresListEntry":             "CustomKeyStoreId: string 1..64; CustomKeyStoreName: string 1..256; CloudHsmClusterId: string 19..24 /cluster-[2-7a-zA-Z]{11,16}/; TrustAnchorCertificate: string 1..5000; ConnectionState: enum ConnectionStateType; ConnectionErrorCode: enum ConnectionErrorCodeType; CreationDate: timestamp; CustomKeyStoreType: enum CustomKeyStoreType; XksProxyConfiguration: struct XksProxyConfigurationType",
		"GrantListEntry":                       `KeyId: string 1..2048; GrantId: string 1..128; Name: string 1..256 /^[a-zA-Z0-9:/_-]+$/; CreationDate: timestamp; GranteePrincipal: string 1..256 /^[\w+=,.@:/-]+$/; RetiringPrincipal: string 1..256 /^[\w+=,.@:/-]+$/; IssuingAccount: string 1..256 /^[\w+=,.@:/-]+$/; Operations: list<enum GrantOperation>; Constraints: struct GrantConstraints; GranteeServicePrincipal: string 1..128 /^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$/; RetiringServicePrincipal: string 1..128 /^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$/`,
		"GrantConstraints":                     `EncryptionContextSubset: map<string,string>; EncryptionContextEquals: map<string,string>; SourceArn: string 20..512 /^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$/`,
		"RotationsListEntry":                   `KeyId: string 1..2048; KeyMaterialId: string 64..64 /^[a-f0-9]+$/; KeyMaterialDescription: string 0..256 /^[a-zA-Z0-9:/_\s.-]+$/; ImportState: enum ImportState; KeyMaterialState: enum KeyMaterialState; ExpirationModel: enum ExpirationModelType; ValidTo: timestamp; RotationDate: timestamp; RotationType: enum RotationType`,
		"AliasListEntry":                       "AliasName: string 1..256 /^[a-zA-Z0-9:/_-]+$/; AliasArn: string 20..2048; TargetKeyId: string 1..2048; CreationDate: timestamp; LastUpdatedDate: timestamp",
		"KeyListEntry":                         "KeyId: string 1..2048; KeyArn: string 20..2048",
		"Tag":                                  "TagKey*: string 1..128; TagValue*: string 0..256",
		"RecipientInfo":                        "KeyEncryptionAlgorithm: enum KeyEncryptionMechanism; AttestationDocument: blob 1..262144",
		"MultiRegionConfiguration":             "MultiRegionKeyType: enum MultiRegionKeyType; PrimaryKey: struct MultiRegionKey; ReplicaKeys: list<struct MultiRegionKey>",
		"MultiRegionKey":                       `Arn: string 20..2048; Region: string 1..32 /^([a-z]+-){2,3}\d+$/`,
		"KeyLastUsageData":                     "Operation: enum KeyLastUsageTrackingOperation; Timestamp: timestamp; CloudTrailEventId: string; KmsRequestId: string",
		"XksKeyConfigurationType":              "Id: string 1..128 /^[a-zA-Z0-9-_.]+$/",
		"XksProxyConfigurationType":            `Connectivity: enum XksProxyConnectivityType; AccessKeyId: string 20..30 /^[A-Z2-7]+$/; UriEndpoint: string 10..128 /^https://[a-zA-Z0-9.-]+$/; UriPath: string 10..128 /^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$/; VpcEndpointServiceName: string 20..64 /^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$/; VpcEndpointServiceOwner: string 12..12 /[0-9]{12}/`,
		"XksProxyAuthenticationCredentialType": `AccessKeyId*: string 20..30 /^[A-Z2-7]+$/; RawSecretAccessKey*: string 43..64 /^[a-zA-Z0-9\/+=]+$/`,
	}
}

// enums are the values of AWS's enums.
func enums() map[string]string {
	return map[string]string{
		"KeySpec":                       "RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2, ML_DSA_44, ML_DSA_65, ML_DSA_87, ECC_NIST_EDWARDS25519",
		"KeyUsageType":                  "SIGN_VERIFY, ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, KEY_AGREEMENT",
		"OriginType":                    "AWS_KMS, EXTERNAL, AWS_CLOUDHSM, EXTERNAL_KEY_STORE",
		"KeyState":                      "Creating, Enabled, Disabled, PendingDeletion, PendingImport, PendingReplicaDeletion, Unavailable, Updating",
		"EncryptionAlgorithmSpec":       "SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE",
		"SigningAlgorithmSpec":          "RSASSA_PSS_SHA_256, RSASSA_PSS_SHA_384, RSASSA_PSS_SHA_512, RSASSA_PKCS1_V1_5_SHA_256, RSASSA_PKCS1_V1_5_SHA_384, RSASSA_PKCS1_V1_5_SHA_512, ECDSA_SHA_256, ECDSA_SHA_384, ECDSA_SHA_512, SM2DSA, ML_DSA_SHAKE_256, ED25519_SHA_512, ED25519_PH_SHA_512",
		"MacAlgorithmSpec":              "HMAC_SHA_224, HMAC_SHA_256, HMAC_SHA_384, HMAC_SHA_512",
		"KeyAgreementAlgorithmSpec":     "ECDH",
		"DataKeySpec":                   "AES_256, AES_128",
		"DataKeyPairSpec":               "RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SM2, ECC_NIST_EDWARDS25519",
		"MessageType":                   "RAW, DIGEST, EXTERNAL_MU",
		"GrantOperation":                "Decrypt, Encrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, ReEncryptFrom, ReEncryptTo, Sign, Verify, GetPublicKey, CreateGrant, RetireGrant, DescribeKey, GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext, GenerateMac, VerifyMac, DeriveSharedSecret",
		"ConnectionStateType":           "CONNECTED, CONNECTING, FAILED, DISCONNECTED, DISCONNECTING",
		"ConnectionErrorCodeType":       "INVALID_CREDENTIALS, CLUSTER_NOT_FOUND, NETWORK_ERRORS, INTERNAL_ERROR, INSUFFICIENT_CLOUDHSM_HSMS, USER_LOCKED_OUT, USER_NOT_FOUND, USER_LOGGED_IN, SUBNET_NOT_FOUND, INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET, XKS_PROXY_ACCESS_DENIED, XKS_PROXY_NOT_REACHABLE, XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND, XKS_PROXY_INVALID_RESPONSE, XKS_PROXY_INVALID_CONFIGURATION, XKS_VPC_ENDPOINT_SERVICE_INVALID_CONFIGURATION, XKS_PROXY_TIMED_OUT, XKS_PROXY_INVALID_TLS_CONFIGURATION",
		"CustomKeyStoreType":            "AWS_CLOUDHSM, EXTERNAL_KEY_STORE",
		"KeyManagerType":                "AWS, CUSTOMER",
		"ExpirationModelType":           "KEY_MATERIAL_EXPIRES, KEY_MATERIAL_DOES_NOT_EXPIRE",
		"RotationType":                  "AUTOMATIC, ON_DEMAND",
		"ResourceOwnerType":             "SELF, OTHER_ACCOUNTS_VIA_RAM",
		"ImportState":                   "IMPORTED, PENDING_IMPORT",
		"KeyMaterialState":              "NON_CURRENT, CURRENT, PENDING_ROTATION, PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
		"MultiRegionKeyType":            "PRIMARY, REPLICA",
		"AlgorithmSpec":                 "RSAES_PKCS1_V1_5, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, RSA_AES_KEY_WRAP_SHA_1, RSA_AES_KEY_WRAP_SHA_256, SM2PKE",
		"WrappingKeySpec":               "RSA_2048, RSA_3072, RSA_4096, SM2",
		"KeyEncryptionMechanism":        "RSAES_OAEP_SHA_256",
		"DryRunModifierType":            "IGNORE_CIPHERTEXT",
		"IncludeKeyMaterial":            "ALL_KEY_MATERIAL, ROTATIONS_ONLY",
		"ImportType":                    "NEW_KEY_MATERIAL, EXISTING_KEY_MATERIAL",
		"KeyLastUsageTrackingOperation": "Decrypt, DeriveSharedSecret, Encrypt, GenerateDataKey, GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext, GenerateDataKeyWithoutPlaintext, GenerateMac, ReEncrypt, Sign, Verify, VerifyMac",
		"CustomerMasterKeySpec":         "RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2",
		"XksProxyConnectivityType":      "PUBLIC_ENDPOINT, VPC_ENDPOINT_SERVICE",
	}
}
