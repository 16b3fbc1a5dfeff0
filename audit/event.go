package audit

import "time"

// Values of APIEvent.EventType.
const (
	EventTypeAPICall = "AwsApiCall"
	EventTypeService = "AwsServiceEvent"
)

// APIEvent is a record of one request in CloudTrail's shape, version 1.11
// ("CloudTrail record contents" in the AWS CloudTrail User Guide). Fields that
// it leaves out are those that Strongroom has no value for.
type APIEvent struct {
	// UserIdentity says who called.
	UserIdentity UserIdentity
	// EventTime is when the request was completed; written in whole seconds.
	EventTime time.Time
	// EventSource is the service, e.g. "kms.amazonaws.com".
	EventSource string
	// EventName is the operation, e.g. "Encrypt".
	EventName string
	// AWSRegion is the Region that the request was made to.
	AWSRegion string
	// SourceIPAddress is the caller's address, or "AWS Internal".
	SourceIPAddress string
	// UserAgent is what the caller says it is; at most 1 KiB is kept.
	UserAgent string
	// ErrorCode is the error's AWS name, empty on success; at most 1 KiB.
	ErrorCode string
	// ErrorMessage is what the caller was told; at most 1 KiB is kept.
	ErrorMessage string
	// RequestParameters is a JSON object, nil for null; at most 100 KiB.
	RequestParameters []byte
	// ResponseElements is a JSON object, nil for null; at most 100 KiB.
	ResponseElements []byte
	// AdditionalEventData is a JSON object, nil if absent; at most 28 KiB.
	AdditionalEventData []byte
	// RequestID is the service's name for the request; at most 1 KiB.
	RequestID string
	// EventID is the record's own UUID.
	EventID string
	// ReadOnly says that the operation changes nothing. Cryptographic
	// operations are read-only.
	ReadOnly bool
	// Resources are the keys and aliases that the request touched.
	Resources []Resource
	// EventType is EventTypeAPICall (also if empty) or EventTypeService.
	EventType string
	// APIVersion is the API's version, empty if absent.
	APIVersion string
	// RecipientAccountID is the account whose trail this is.
	RecipientAccountID string
	// ServiceEventDetails is a JSON object, nil if absent; at most 100 KiB.
	ServiceEventDetails []byte
	// TLSDetails describes the connection; nil without TLS.
	TLSDetails *TLSDetails

	// MetadataRevision is the revision of the key metadata that the request has
	// made, 0 if none. It is no part of the event, but recorded behind it.
	MetadataRevision uint64
	// MetadataAccepted lets MetadataRevision be lower than what was known.
	MetadataAccepted bool
}

// UserIdentity is CloudTrail's userIdentity element. Empty fields are left out.
type UserIdentity struct {
	// Type is e.g. "IAMUser", "AssumedRole" or "AWSService".
	Type string
	// PrincipalID is the identity's unique id.
	PrincipalID string
	// ARN is the principal's ARN.
	ARN string
	// AccountID is the account that the principal belongs to.
	AccountID string
	// AccessKeyID is the id of the access key that signed the request.
	AccessKeyID string
	// UserName is the principal's friendly name.
	UserName string
	// InvokedBy is the service that acted, e.g. "AWS Internal".
	InvokedBy string
	// CredentialID names the credential, e.g. a certificate's fingerprint.
	CredentialID string
}

// Resource is an element of CloudTrail's resources list.
type Resource struct {
	// AccountID is the owner's account.
	AccountID string
	// Type is e.g. ResourceTypeKey.
	Type string
	// ARN names the resource.
	ARN string
}

// ResourceTypeKey is the Type of a KMS key and, as in CloudTrail, of an alias.
const ResourceTypeKey = "AWS::KMS::Key"

// TLSDetails is CloudTrail's tlsDetails element. Empty fields are left out.
type TLSDetails struct {
	// TLSVersion is e.g. "TLSv1.3".
	TLSVersion string
	// CipherSuite is the suite's IANA name.
	CipherSuite string
	// ClientProvidedHostHeader is the host that the client asked for.
	ClientProvidedHostHeader string
	// KeyExchange is the key agreement's group, e.g. "X25519MLKEM768".
	KeyExchange string
}
