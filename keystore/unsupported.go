package keystore

import (
	"slices"

	"google.golang.org/protobuf/proto"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// refuseUnsupported refuses what AWS offers and this service does not: an answer
// cannot be encrypted for an enclave, and there are no services and no shared
// keys of AWS. A grant with less in it than was asked for would allow more.
func refuseUnsupported(req proto.Message) error {
	if err := checkGrantTokens(req); err != nil {
		return err
	}
	if member := unsupportedMember(req); member != "" {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "%s not supported.", member)
	}
	return nil
}

// unsupportedMember returns which member of a request is not supported, and the
// verb that goes with it; empty if there is none.
func unsupportedMember(req proto.Message) string {
	if r, ok := req.(interface{ GetRecipient() *kmsv1.RecipientInfo }); ok && r.GetRecipient() != nil {
		return "Recipient is"
	}
	if r, ok := req.(interface {
		GetDryRunModifiers() []kmsv1.DryRunModifierType
	}); ok && len(r.GetDryRunModifiers()) > 0 {
		return "DryRunModifiers are"
	}
	if r, ok := req.(interface {
		GetConstraints() *kmsv1.GrantConstraints
	}); ok && r.GetConstraints().GetSourceArn() != "" {
		return "SourceArn is"
	}
	if r, ok := req.(interface{ GetGranteeServicePrincipal() string }); ok && r.GetGranteeServicePrincipal() != "" {
		return "GranteeServicePrincipal is"
	}
	if r, ok := req.(interface{ GetRetiringServicePrincipal() string }); ok && r.GetRetiringServicePrincipal() != "" {
		return "RetiringServicePrincipal is"
	}
	if r, ok := req.(*kmsv1.ListKeysRequest); ok && slices.Contains(r.GetResourceOwners(), kmsv1.ResourceOwnerType_RESOURCE_OWNER_TYPE_OTHER_ACCOUNTS_VIA_RAM) {
		return "OTHER_ACCOUNTS_VIA_RAM is"
	}
	return ""
}
