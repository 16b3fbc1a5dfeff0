package describe_test

// storeOperations are the facts on custom key stores.
func storeOperations() map[string]operation {
	return map[string]operation{
		"CreateCustomKeyStore": {
			in:       `CustomKeyStoreName*: string 1..256; CloudHsmClusterId: string 19..24 /cluster-[2-7a-zA-Z]{11,16}/; TrustAnchorCertificate: string 1..5000; KeyStorePassword: string 7..32; CustomKeyStoreType: enum CustomKeyStoreType; XksProxyUriEndpoint: string 10..128 /^https://[a-zA-Z0-9.-]+$/; XksProxyUriPath: string 10..128 /^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$/; XksProxyVpcEndpointServiceName: string 20..64 /^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$/; XksProxyVpcEndpointServiceOwner: string 12..12 /[0-9]{12}/; XksProxyAuthenticationCredential: struct XksProxyAuthenticationCredentialType; XksProxyConnectivity: enum XksProxyConnectivityType`,
			out:      "CustomKeyStoreId: string 1..64",
			errors:   "CloudHsmClusterInUse, CustomKeyStoreNameInUse, CloudHsmClusterNotFound, KMSInternal, CloudHsmClusterNotActive, IncorrectTrustAnchor, CloudHsmClusterInvalidConfiguration, LimitExceeded, XksProxyUriInUse, XksProxyUriEndpointInUse, XksProxyUriUnreachable, XksProxyIncorrectAuthenticationCredential, XksProxyVpcEndpointServiceInUse, XksProxyVpcEndpointServiceNotFound, XksProxyVpcEndpointServiceInvalidConfiguration, XksProxyInvalidResponse, XksProxyInvalidConfiguration",
			resource: "ACCOUNT", quota: "5", showResponse: true,
		},
		"DescribeCustomKeyStores": {
			in:       `CustomKeyStoreId: string 1..64; CustomKeyStoreName: string 1..256; Limit: integer 1..1000; Marker: string 1..1024 /[\u0020-\u00FF]*/`,
			out:      `CustomKeyStores: list<struct CustomKeyStoresListEntry>; NextMarker: string 1..1024 /[\u0020-\u00FF]*/; Truncated: boolean`,
			errors:   "CustomKeyStoreNotFound, InvalidMarker, KMSInternal",
			readOnly: true, resource: "ACCOUNT", quota: "5",
		},
		"UpdateCustomKeyStore": {
			in:       `CustomKeyStoreId*: string 1..64; NewCustomKeyStoreName: string 1..256; KeyStorePassword: string 7..32; CloudHsmClusterId: string 19..24 /cluster-[2-7a-zA-Z]{11,16}/; XksProxyUriEndpoint: string 10..128 /^https://[a-zA-Z0-9.-]+$/; XksProxyUriPath: string 10..128 /^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$/; XksProxyVpcEndpointServiceName: string 20..64 /^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$/; XksProxyVpcEndpointServiceOwner: string 12..12 /[0-9]{12}/; XksProxyAuthenticationCredential: struct XksProxyAuthenticationCredentialType; XksProxyConnectivity: enum XksProxyConnectivityType`,
			errors:   "CustomKeyStoreNotFound, CustomKeyStoreNameInUse, CloudHsmClusterNotFound, CloudHsmClusterNotRelated, CustomKeyStoreInvalidState, KMSInternal, CloudHsmClusterNotActive, CloudHsmClusterInvalidConfiguration, XksProxyUriInUse, XksProxyUriEndpointInUse, XksProxyUriUnreachable, XksProxyIncorrectAuthenticationCredential, XksProxyVpcEndpointServiceInUse, XksProxyVpcEndpointServiceNotFound, XksProxyVpcEndpointServiceInvalidConfiguration, XksProxyInvalidResponse, XksProxyInvalidConfiguration",
			resource: "CUSTOM_KEY_STORE", quota: "5",
		},
		"DeleteCustomKeyStore": {
			in:       "CustomKeyStoreId*: string 1..64",
			errors:   "CustomKeyStoreHasCMKs, CustomKeyStoreInvalidState, CustomKeyStoreNotFound, KMSInternal",
			resource: "CUSTOM_KEY_STORE", quota: "5",
		},
		"ConnectCustomKeyStore": {
			in:       "CustomKeyStoreId*: string 1..64",
			errors:   "CloudHsmClusterNotActive, CustomKeyStoreInvalidState, CustomKeyStoreNotFound, KMSInternal, CloudHsmClusterInvalidConfiguration",
			resource: "CUSTOM_KEY_STORE", quota: "5",
		},
		"DisconnectCustomKeyStore": {
			in:       "CustomKeyStoreId*: string 1..64",
			errors:   "CustomKeyStoreInvalidState, CustomKeyStoreNotFound, KMSInternal",
			resource: "CUSTOM_KEY_STORE", quota: "5",
		},
	}
}
