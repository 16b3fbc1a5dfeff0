package describe_test

// keyOperations are the facts on keys and their metadata.
func keyOperations() map[string]operation {
	return map[string]operation{
		"CreateKey": {
			in:       `Policy: string 1..131072 /[\u0009\u000A\u000D\u0020-\u00FF]+/; Description: string 0..8192; KeyUsage: enum KeyUsageType; CustomerMasterKeySpec: enum CustomerMasterKeySpec; KeySpec: enum KeySpec; Origin: enum OriginType; CustomKeyStoreId: string 1..64; BypassPolicyLockoutSafetyCheck: boolean; Tags: list<struct Tag>; MultiRegion: boolean; XksKeyId: string 1..128 /^[a-zA-Z0-9-_.]+$/`,
			out:      "KeyMetadata: struct KeyMetadata",
			errors:   "MalformedPolicyDocument, DependencyTimeout, InvalidArn, UnsupportedOperation, KMSInternal, LimitExceeded, Tag, CustomKeyStoreNotFound, CustomKeyStoreInvalidState, CloudHsmClusterInvalidConfiguration, XksKeyInvalidConfiguration, XksKeyAlreadyInUse, XksKeyNotFound",
			resource: "ACCOUNT", quota: "5", showResponse: true,
		},
		"DescribeKey": {
			in:       "KeyId*: string 1..2048; GrantTokens: list<string 1..8192> 0..10",
			out:      "KeyMetadata: struct KeyMetadata",
			errors:   "NotFound, InvalidArn, DependencyTimeout, KMSInternal",
			readOnly: true, resource: "KEY", quota: "2000", crossAccount: true,
		},
		"ListKeys": {
			in:       `Limit: integer 1..1000; Marker: string 1..1024 /[\u0020-\u00FF]*/; ResourceOwners: list<enum ResourceOwnerType> 1..2`,
			out:      `Keys: list<struct KeyListEntry>; NextMarker: string 1..1024 /[\u0020-\u00FF]*/; Truncated: boolean`,
			errors:   "DependencyTimeout, KMSInternal, InvalidMarker",
			readOnly: true, resource: "ACCOUNT", quota: "500",
		},
		"UpdateKeyDescription": {
			in:       "KeyId*: string 1..2048; Description*: string 0..8192",
			errors:   "NotFound, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState",
			resource: "KEY", quota: "5",
		},
		"GetKeyLastUsage": {
			in:       "KeyId*: string 1..2048",
			out:      "KeyId: string 1..2048; KeyLastUsage: struct KeyLastUsageData; TrackingStartDate: timestamp; KeyCreationDate: timestamp",
			errors:   "NotFound, InvalidArn, DependencyTimeout, KMSInternal",
			readOnly: true, resource: "KEY", quota: "5",
		},
	}
}

// stateOperations are the facts on the states of a key.
func stateOperations() map[string]operation {
	return map[string]operation{
		"EnableKey": {
			in:       "KeyId*: string 1..2048",
			errors:   "NotFound, InvalidArn, DependencyTimeout, KMSInternal, LimitExceeded, KMSInvalidState",
			resource: "KEY", quota: "5",
		},
		"DisableKey": {
			in:       "KeyId*: string 1..2048",
			errors:   "NotFound, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState",
			resource: "KEY", quota: "5",
		},
		"ScheduleKeyDeletion": {
			in:       "KeyId*: string 1..2048; PendingWindowInDays: integer 1..365",
			out:      "KeyId: string 1..2048; DeletionDate: timestamp; KeyState: enum KeyState; PendingWindowInDays: integer 1..365",
			errors:   "NotFound, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState",
			resource: "KEY", quota: "15", showResponse: true,
		},
		"CancelKeyDeletion": {
			in:       "KeyId*: string 1..2048",
			out:      "KeyId: string 1..2048",
			errors:   "NotFound, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState",
			resource: "KEY", quota: "5", showResponse: true,
		},
	}
}

// aliasOperations are the facts on aliases.
func aliasOperations() map[string]operation {
	return map[string]operation{
		"CreateAlias": {
			in:       "AliasName*: string 1..256 /^[a-zA-Z0-9:/_-]+$/; TargetKeyId*: string 1..2048",
			errors:   "DependencyTimeout, AlreadyExists, NotFound, InvalidAliasName, KMSInternal, LimitExceeded, KMSInvalidState",
			resource: "ALIAS", quota: "5",
		},
		"UpdateAlias": {
			in:       "AliasName*: string 1..256 /^[a-zA-Z0-9:/_-]+$/; TargetKeyId*: string 1..2048",
			errors:   "DependencyTimeout, NotFound, KMSInternal, LimitExceeded, KMSInvalidState",
			resource: "ALIAS", quota: "5",
		},
		"DeleteAlias": {
			in:       "AliasName*: string 1..256 /^[a-zA-Z0-9:/_-]+$/",
			errors:   "DependencyTimeout, NotFound, KMSInternal, KMSInvalidState",
			resource: "ALIAS", quota: "15",
		},
		"ListAliases": {
			in:       `KeyId: string 1..2048; Limit: integer 1..1000; Marker: string 1..1024 /[\u0020-\u00FF]*/`,
			out:      `Aliases: list<struct AliasListEntry>; NextMarker: string 1..1024 /[\u0020-\u00FF]*/; Truncated: boolean`,
			errors:   "DependencyTimeout, InvalidMarker, KMSInternal, InvalidArn, NotFound",
			readOnly: true, resource: "ACCOUNT", quota: "500",
		},
	}
}
