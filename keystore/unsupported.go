package keystore

import (
	"google.golang.org/protobuf/proto"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// refuseUnsupported refuses what AWS offers and this service does not: an answer
// cannot be encrypted for an enclave.
func refuseUnsupported(req proto.Message) error {
	if err := checkGrantTokens(req); err != nil {
		return err
	}
	if r, ok := req.(interface{ GetRecipient() *kmsv1.RecipientInfo }); ok && r.GetRecipient() != nil {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "Recipient is not supported.")
	}
	if r, ok := req.(interface {
		GetDryRunModifiers() []kmsv1.DryRunModifierType
	}); ok && len(r.GetDryRunModifiers()) > 0 {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "DryRunModifiers are not supported.")
	}
	return nil
}
