// Package tinkkms is Strongroom for Tink (github.com/tink-crypto/tink-go): keys
// named by URIs such as
//
//	strongroom-kms://arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d-...
//	strongroom-kms://arn:aws:kms:eu-central-1:111122223333:alias/billing
//
// are AEADs whose work the HSM does. They encrypt 1 to 4,096 bytes. For more, and
// for a call to the server only now and then, take Tink's envelope encryption, as
// in the examples.
//
// # Associated data
//
// It becomes the encryption context {"associatedData": <lower-case hexadecimal>},
// as in Tink's packages for AWS KMS, so that either side reads what the other
// wrote; empty associated data is no context. An encryption context stands in the
// clear in the API events: associated data must not be secret.
//
// # Aliases
//
// Decryption names the key too, so that a ciphertext of another key is refused.
// With the URI of an alias that is the key that it points to now: after
// UpdateAlias, older ciphertexts need the ARN of their key.
//
// # Compatibility
//
// The package follows semantic versioning, as package client does.
package tinkkms
