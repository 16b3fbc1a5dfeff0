package keystore

import (
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore/blob"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// byReference finds the key that a request names.
func (k *Keystore) byReference(ref string) func() target {
	return func() target {
		id, err := k.scope.parseReference(ref)
		if err != nil {
			return target{resource: "*", err: err}
		}
		t := target{key: k.view.get(id), resource: k.scope.keyARN(id)}
		if t.key == nil {
			t.err = errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "Key '%s' does not exist", t.resource)
		}
		return t
	}
}

// byCiphertext finds the key that a ciphertext names. As with AWS, a caller
// does not learn whether the key is gone or was never here.
func (k *Keystore) byCiphertext(b blob.Blob, malformed error) func() target {
	return func() target {
		if malformed != nil {
			return target{resource: "*", err: malformed}
		}
		t := target{key: k.view.get(b.Header.KeyID), resource: k.scope.keyARN(b.Header.KeyID)}
		if t.key == nil {
			t.err = errorf(annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED,
				"The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
		}
		return t
	}
}

// parseBlob reads a ciphertext; what it cannot read is an InvalidCiphertext.
func parseBlob(ciphertext []byte) (blob.Blob, error) {
	b, err := blob.Parse(ciphertext)
	if err != nil {
		return blob.Blob{}, errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT,
			"The ciphertext blob is not one that this service made: %v.", err)
	}
	return b, nil
}

// usable says whether a key may be used for a cryptographic operation.
func usable(k *key, usage kmsv1.KeyUsageType, operation string) error {
	if k.record.GetKeyUsage() != usage {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_KEY_USAGE,
			"%s key usage is %s which is not valid for %s.", k.arn, describe.WireName(k.record.GetKeyUsage()), operation)
	}
	switch state := k.record.GetState(); state {
	case kmsv1.KeyState_KEY_STATE_ENABLED, kmsv1.KeyState_KEY_STATE_UPDATING:
		return nil
	case kmsv1.KeyState_KEY_STATE_DISABLED:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_DISABLED, "%s is disabled.", k.arn)
	default:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE, "%s is %s.", k.arn, stateInWords(state))
	}
}

// encryptable checks that a key may encrypt and decrypt, by the algorithm that
// the request names.
func encryptable(operation string, algorithm kmsv1.EncryptionAlgorithmSpec) func(*key) error {
	return func(k *key) error {
		if err := usable(k, kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT, operation); err != nil {
			return err
		}
		switch algorithm {
		case kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_UNSPECIFIED, symmetricDefault:
			return nil
		}
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_KEY_USAGE,
			"Algorithm %s is incompatible with key spec %s.", describe.WireName(algorithm), describe.WireName(k.record.GetKeySpec()))
	}
}

// madeBy checks that a ciphertext was made by one of a key's backing keys.
func madeBy(k *key, b blob.Blob, malformed error) error {
	switch {
	case malformed != nil:
		return malformed
	case b.Header.KeyID != k.id:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_KEY,
			"The key ID in the request does not identify a CMK that can perform this operation: the ciphertext was not made by %s.", k.arn)
	case !k.has(b.Header.BackingKeyID):
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT,
			"The ciphertext names key material that %s never had.", k.arn)
	}
	return nil
}

// stateInWords is a key state as AWS's messages name it.
func stateInWords(s kmsv1.KeyState) string {
	switch s {
	case kmsv1.KeyState_KEY_STATE_CREATING:
		return "creating"
	case kmsv1.KeyState_KEY_STATE_PENDING_DELETION:
		return "pending deletion"
	case kmsv1.KeyState_KEY_STATE_PENDING_REPLICA_DELETION:
		return "pending replica deletion"
	case kmsv1.KeyState_KEY_STATE_PENDING_IMPORT:
		return "pending import"
	case kmsv1.KeyState_KEY_STATE_UNAVAILABLE:
		return "unavailable"
	default:
		return "in an unknown state"
	}
}

// refuseUnsupported refuses what AWS offers and this service does not: a
// grant token cannot be of any grant, and an answer cannot be encrypted for an
// enclave.
func refuseUnsupported(req proto.Message) error {
	if r, ok := req.(interface{ GetGrantTokens() []string }); ok && len(r.GetGrantTokens()) > 0 {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_GRANT_TOKEN, "GrantTokens[0] is not the token of a grant.")
	}
	if r, ok := req.(interface{ GetRecipient() *kmsv1.RecipientInfo }); ok && r.GetRecipient() != nil {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "Recipient is not supported.")
	}
	if r, ok := req.(interface {
		GetDryRunModifiers() []kmsv1.DryRunModifierType
	}); ok && len(r.GetDryRunModifiers()) > 0 {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "DryRunModifiers are not supported.")
	}
	if r, ok := req.(interface{ GetCustomKeyStoreId() string }); ok && r.GetCustomKeyStoreId() != "" {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NOT_FOUND, "Custom key store %s does not exist.", r.GetCustomKeyStoreId())
	}
	return nil
}
