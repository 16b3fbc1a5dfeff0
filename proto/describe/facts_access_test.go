package describe_test

// tagOperations are the facts on tags.
func tagOperations() map[string]operation {
	return map[string]operation{
		"TagResource": {
			in:       "KeyId*: string 1..2048; Tags*: list<struct Tag>",
			errors:   "KMSInternal, NotFound, InvalidArn, KMSInvalidState, LimitExceeded, Tag",
			resource: "KEY", quota: "10",
		},
		"UntagResource": {
			in:       "KeyId*: string 1..2048; TagKeys*: list<string 1..128>",
			errors:   "KMSInternal, NotFound, InvalidArn, KMSInvalidState, Tag",
			resource: "KEY", quota: "5",
		},
		"ListResourceTags": {
			in:       `KeyId*: string 1..2048; Limit: integer 1..1000; Marker: string 1..1024 /[\u0020-\u00FF]*/`,
			out:      `Tags: list<struct Tag>; NextMarker: string 1..1024 /[\u0020-\u00FF]*/; Truncated: boolean`,
			errors:   "KMSInternal, NotFound, InvalidArn, InvalidMarker",
			readOnly: true, resource: "KEY", quota: "2000",
		},
	}
}

// policyOperations are the facts on key policies.
func policyOperations() map[string]operation {
	return map[string]operation{
		"GetKeyPolicy": {
			in:       `KeyId*: string 1..2048; PolicyName: string 1..128 /[\w]+/`,
			out:      `Policy: string 1..131072 /[\u0009\u000A\u000D\u0020-\u00FF]+/; PolicyName: string 1..128 /[\w]+/`,
			errors:   "NotFound, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState",
			readOnly: true, resource: "KEY", quota: "1000",
		},
		"PutKeyPolicy": {
			in:       `KeyId*: string 1..2048; PolicyName: string 1..128 /[\w]+/; Policy*: string 1..131072 /[\u0009\u000A\u000D\u0020-\u00FF]+/; BypassPolicyLockoutSafetyCheck: boolean`,
			errors:   "NotFound, InvalidArn, MalformedPolicyDocument, DependencyTimeout, UnsupportedOperation, KMSInternal, LimitExceeded, KMSInvalidState",
			resource: "KEY", quota: "15",
		},
		"ListKeyPolicies": {
			in:       `KeyId*: string 1..2048; Limit: integer 1..1000; Marker: string 1..1024 /[\u0020-\u00FF]*/`,
			out:      `PolicyNames: list<string 1..128 /[\w]+/>; NextMarker: string 1..1024 /[\u0020-\u00FF]*/; Truncated: boolean`,
			errors:   "NotFound, InvalidArn, DependencyTimeout, KMSInternal, KMSInvalidState",
			readOnly: true, resource: "KEY", quota: "100",
		},
	}
}

// grantOperations are the facts on grants. ListRetirableGrants lists those of the
// keys of other accounts as well.
func grantOperations() map[string]operation {
	return map[string]operation{
		"CreateGrant": {
			in:       `KeyId*: string 1..2048; GranteePrincipal*: string 1..256 /^[\w+=,.@:/-]+$/; RetiringPrincipal: string 1..256 /^[\w+=,.@:/-]+$/; Operations*: list<enum GrantOperation>; Constraints: struct GrantConstraints; GrantTokens: list<string 1..8192> 0..10; Name: string 1..256 /^[a-zA-Z0-9:/_-]+$/; DryRun: boolean; GranteeServicePrincipal: string 1..128 /^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$/; RetiringServicePrincipal: string 1..128 /^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$/`,
			out:      "GrantToken: string 1..8192; GrantId: string 1..128",
			errors:   "NotFound, Disabled, DependencyTimeout, InvalidArn, KMSInternal, InvalidGrantToken, LimitExceeded, KMSInvalidState, DryRunOperation",
			resource: "KEY", quota: "50", crossAccount: true, showResponse: true,
		},
		"ListGrants": {
			in:       `Limit: integer 1..1000; Marker: string 1..1024 /[\u0020-\u00FF]*/; KeyId*: string 1..2048; GrantId: string 1..128; GranteePrincipal: string 1..256 /^[\w+=,.@:/-]+$/; GranteeServicePrincipal: string 1..128 /^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$/`,
			out:      `Grants: list<struct GrantListEntry>; NextMarker: string 1..1024 /[\u0020-\u00FF]*/; Truncated: boolean`,
			errors:   "NotFound, DependencyTimeout, InvalidMarker, InvalidGrantId, InvalidArn, KMSInternal, KMSInvalidState",
			readOnly: true, resource: "KEY", quota: "100", crossAccount: true,
		},
		"ListRetirableGrants": {
			in:       `Limit: integer 1..1000; Marker: string 1..1024 /[\u0020-\u00FF]*/; RetiringPrincipal*: string 1..256 /^[\w+=,.@:/-]+$/; RetiringServicePrincipal: string 1..128 /^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$/`,
			out:      `Grants: list<struct GrantListEntry>; NextMarker: string 1..1024 /[\u0020-\u00FF]*/; Truncated: boolean`,
			errors:   "DependencyTimeout, InvalidMarker, InvalidArn, NotFound, KMSInternal",
			readOnly: true, resource: "ACCOUNT", quota: "100", crossAccount: true,
		},
		"RetireGrant": {
			in:       "GrantToken: string 1..8192; KeyId: string 1..2048; GrantId: string 1..128; DryRun: boolean",
			errors:   "InvalidArn, InvalidGrantToken, InvalidGrantId, NotFound, DependencyTimeout, KMSInternal, KMSInvalidState, DryRunOperation",
			resource: "KEY", quota: "50", crossAccount: true,
		},
		"RevokeGrant": {
			in:       "KeyId*: string 1..2048; GrantId*: string 1..128; DryRun: boolean",
			errors:   "NotFound, DependencyTimeout, InvalidArn, InvalidGrantId, KMSInternal, KMSInvalidState, DryRunOperation",
			resource: "KEY", quota: "50", crossAccount: true,
		},
	}
}
