package awsmodel_test

// Why a difference is meant.
const (
	noKEM      = "PKCS#11 tokens have no ML-KEM; without its names, they are refused as unknown"
	noServices = "required here, since AWS's services, which could stand in its place, do not call here"
	noModifier = "required here, since only DryRunModifiers do without it, which are not supported"
	secretMAC  = "a MAC of a secret message may be used as a secret itself, so it is shown nowhere"
	secretXKS  = "all of the credential is secret, not only what is in it"
	publicKey  = "public keys are no secret; the model gives this one the type of a plaintext"
	common     = "any operation may answer it, so the model declares it nowhere; the KMS API Reference has it among the common errors"
	signature  = "the answer to a wrong signature, which all services give and no model has"
	protocol   = "the answer of the protocol, which all services give and no model has"
	duringWork = "the answer of every service that cannot serve a request, which no model has"
)

// reasons are the differences that are meant, each with why. One that ends in
// a star covers also what belongs to it: a structure's members, a member's limits.
func reasons() map[string]string {
	return map[string]string{
		"Encapsulate *":                noKEM,
		"EncapsulateRequest *":         noKEM,
		"EncapsulateResponse *":        noKEM,
		"Decapsulate *":                noKEM,
		"DecapsulateRequest *":         noKEM,
		"DecapsulateResponse *":        noKEM,
		"EncapsulationAlgorithmSpec *": noKEM,

		"KeySpec ML_KEM_512":                           noKEM,
		"KeySpec ML_KEM_768":                           noKEM,
		"KeySpec ML_KEM_1024":                          noKEM,
		"DataKeyPairSpec ML_KEM_512":                   noKEM,
		"DataKeyPairSpec ML_KEM_768":                   noKEM,
		"DataKeyPairSpec ML_KEM_1024":                  noKEM,
		"KeyUsageType ENCAPSULATE_DECAPSULATE":         noKEM,
		"GrantOperation Encapsulate":                   noKEM,
		"GrantOperation Decapsulate":                   noKEM,
		"KeyLastUsageTrackingOperation Encapsulate":    noKEM,
		"KeyLastUsageTrackingOperation Decapsulate":    noKEM,
		"KeyMetadata EncapsulationAlgorithms":          noKEM,
		"GetPublicKeyResponse EncapsulationAlgorithms": noKEM,

		"CreateGrantRequest GranteePrincipal required":          noServices,
		"ListRetirableGrantsRequest RetiringPrincipal required": noServices,
		"DecryptRequest CiphertextBlob required":                noModifier,
		"ReEncryptRequest CiphertextBlob required":              noModifier,

		"GenerateMacResponse Mac secret":                                      secretMAC,
		"VerifyMacRequest Mac secret":                                         secretMAC,
		"CreateCustomKeyStoreRequest XksProxyAuthenticationCredential secret": secretXKS,
		"UpdateCustomKeyStoreRequest XksProxyAuthenticationCredential secret": secretXKS,
		"GetParametersForImportResponse PublicKey secret":                     publicKey,

		"AccessDeniedException":               common,
		"ThrottlingException":                 common,
		"ValidationException":                 common,
		"ExpiredTokenException":               signature,
		"IncompleteSignatureException":        signature,
		"InvalidSignatureException":           signature,
		"MissingAuthenticationTokenException": signature,
		"UnrecognizedClientException":         signature,
		"MalformedHttpRequestException":       protocol,
		"RequestEntityTooLargeException":      protocol,
		"SerializationException":              protocol,
		"UnknownOperationException":           protocol,
		"InternalFailure":                     duringWork,
		"RequestAbortedException":             duringWork,
		"RequestTimeoutException":             duringWork,
		"ServiceUnavailableException":         duringWork,
	}
}
