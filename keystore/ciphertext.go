package keystore

import (
	"github.com/strongroom-kms/strongroom/keystore/blob"
	"github.com/strongroom-kms/strongroom/keystore/publickey"
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
		if err := usable(k, encryptDecrypt, operation); err != nil {
			return err
		}
		return offers(k, k.kind.encryption, orSymmetric(algorithm))
	}
}

// toBeEncrypted is a request with a plaintext for a key of any kind.
type toBeEncrypted interface {
	GetPlaintext() []byte
	GetEncryptionContext() map[string]string
	GetEncryptionAlgorithm() kmsv1.EncryptionAlgorithmSpec
}

// encrypts checks that a key may encrypt what a request has.
func encrypts(operation string, req toBeEncrypted) func(*key) error {
	return func(k *key) error {
		if err := encryptable(operation, req.GetEncryptionAlgorithm())(k); err != nil {
			return err
		}
		if err := takesContext(k, req.GetEncryptionContext()); err != nil {
			return err
		}
		return fits(k, req.GetEncryptionAlgorithm(), len(req.GetPlaintext()))
	}
}

// takesContext refuses an encryption context where nothing would bind it.
func takesContext(k *key, encryptionContext map[string]string) error {
	if k.kind.symmetric() || len(encryptionContext) == 0 {
		return nil
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "EncryptionContext is not valid for the asymmetric key %s.", k.arn)
}

// fits checks that a plaintext is not too long for an RSA key.
func fits(k *key, algorithm kmsv1.EncryptionAlgorithmSpec, length int) error {
	if k.kind.symmetric() {
		return nil
	}
	_, h := oaepOf(algorithm)
	longest, err := publickey.MaxOAEP(k.record.GetPublicKey(), h)
	if err != nil {
		return err
	}
	if length > longest {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.",
			describe.WireName(algorithm), describe.WireName(k.record.GetKeySpec()), longest)
	}
	return nil
}

// decryptable checks that a key may decrypt a ciphertext, by the algorithm that
// the request names.
func decryptable(operation string, algorithm kmsv1.EncryptionAlgorithmSpec, encryptionContext map[string]string, b blob.Blob, malformed error) func(*key) error {
	return func(k *key) error {
		if err := encryptable(operation, algorithm)(k); err != nil {
			return err
		}
		if err := takesContext(k, encryptionContext); err != nil {
			return err
		}
		if !k.kind.symmetric() {
			return nil // the HSM finds out
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
