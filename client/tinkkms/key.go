package tinkkms

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const (
	// MaxPlaintext is the most that a key encrypts by itself, in bytes: the limit
	// of KMS.
	MaxPlaintext = 4096
	// contextName is the name of the pair that holds the associated data.
	contextName = "associatedData"
	// timeout bounds the calls that bring no context.
	timeout = 30 * time.Second
)

// Key is a KMS key as a tink.AEAD and a tink.AEADWithContext. Its errors are those
// of package client, with what was being done.
type Key struct {
	arn string
	kms kmsv1.KeyManagementServiceClient
}

// EncryptWithContext encrypts 1 to MaxPlaintext bytes. It is part of
// tink.AEADWithContext.
func (k *Key) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	if n := len(plaintext); n == 0 || n > MaxPlaintext {
		return nil, fmt.Errorf("encrypting with %s: the plaintext has %d bytes, and KMS takes 1 to %d: use aead.NewKMSEnvelopeAEADWithContext", k.arn, n, MaxPlaintext)
	}
	answer, err := k.kms.Encrypt(ctx, &kmsv1.EncryptRequest{
		KeyId:             &k.arn,
		Plaintext:         plaintext,
		EncryptionContext: encryptionContext(associatedData),
	})
	if err != nil {
		return nil, fmt.Errorf("encrypting with %s: %w", k.arn, err)
	}
	return answer.GetCiphertextBlob(), nil
}

// DecryptWithContext decrypts what the key has encrypted with the same associated
// data. It is part of tink.AEADWithContext.
func (k *Key) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	answer, err := k.kms.Decrypt(ctx, &kmsv1.DecryptRequest{
		KeyId:             &k.arn,
		CiphertextBlob:    ciphertext,
		EncryptionContext: encryptionContext(associatedData),
	})
	if err != nil {
		return nil, fmt.Errorf("decrypting with %s: %w", k.arn, err)
	}
	return answer.GetPlaintext(), nil
}

// Encrypt is EncryptWithContext for at most 30 s. It is part of tink.AEAD.
func (k *Key) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return k.EncryptWithContext(ctx, plaintext, associatedData)
}

// Decrypt is DecryptWithContext for at most 30 s. It is part of tink.AEAD.
func (k *Key) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return k.DecryptWithContext(ctx, ciphertext, associatedData)
}

// encryptionContext is the associated data as KMS takes it.
func encryptionContext(associatedData []byte) map[string]string {
	if len(associatedData) == 0 {
		return nil
	}
	return map[string]string{contextName: hex.EncodeToString(associatedData)}
}
