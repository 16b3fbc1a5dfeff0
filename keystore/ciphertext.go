package keystore

import (
	"github.com/strongroom-kms/strongroom/keystore/blob"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// parseBlob reads a ciphertext; what it cannot read is an InvalidCiphertext.
func parseBlob(ciphertext []byte) (blob.Blob, error) {
	b, err := blob.Parse(ciphertext)
	if err != nil {
		return blob.Blob{}, errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT,
			"The ciphertext blob is not one that this service made: %v.", err)
	}
	return b, nil
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

// decryptable checks that a key may decrypt a ciphertext, by the algorithm that
// the request names.
func decryptable(operation string, algorithm kmsv1.EncryptionAlgorithmSpec, b blob.Blob, malformed error) func(*key) error {
	return func(k *key) error {
		if err := encryptable(operation, algorithm)(k); err != nil {
			return err
		}
		return madeBy(k, b, malformed)
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
