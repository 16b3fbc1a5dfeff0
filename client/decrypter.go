package client

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Decrypter decrypts with an RSA key in an HSM what was encrypted with its public
// key. It is a crypto.Decrypter, and may be used from many goroutines.
type Decrypter struct{ publicKey }

// Decrypter returns the decrypter of an RSA key for ENCRYPT_DECRYPT, and fetches
// its public key. keyID and ctx are as those of Signer.
func (c *Client) Decrypter(ctx context.Context, keyID string) (*Decrypter, error) {
	key, _, err := c.fetch(ctx, keyID, kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT)
	if err != nil {
		return nil, err
	}
	return &Decrypter{publicKey: key}, nil
}

// Decrypt is part of crypto.Decrypter. opts is an *rsa.OAEPOptions with SHA-1 or
// SHA-256 for both hashes, and without a label. The plaintext is the caller's to
// clear.
func (d *Decrypter) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	algorithm, err := oaepAlgorithm(opts)
	if err != nil {
		return nil, fmt.Errorf("decrypting with key %s: %w", d.id, err)
	}
	ctx, cancel := context.WithTimeout(d.ctx, patience)
	defer cancel()
	answer, err := d.client.KMS.Decrypt(ctx, &kmsv1.DecryptRequest{
		KeyId: &d.id, CiphertextBlob: ciphertext, EncryptionAlgorithm: &algorithm,
	})
	if err != nil {
		return nil, fmt.Errorf("decrypting with key %s: %w", d.id, err)
	}
	return answer.GetPlaintext(), nil
}

// oaepAlgorithm names the algorithm of the options.
func oaepAlgorithm(opts crypto.DecrypterOpts) (kmsv1.EncryptionAlgorithmSpec, error) {
	o, ok := opts.(*rsa.OAEPOptions)
	switch {
	case !ok || o == nil:
		return 0, fmt.Errorf("the options are %T, and only OAEP is done (*rsa.OAEPOptions)", opts)
	case len(o.Label) > 0:
		return 0, errors.New("OAEP has no label here")
	case o.MGFHash != 0 && o.MGFHash != o.Hash:
		return 0, fmt.Errorf("OAEP has one hash here, not %v and %v", o.Hash, o.MGFHash)
	}
	algorithm, ok := oaep[o.Hash]
	if !ok {
		return 0, fmt.Errorf("OAEP is with SHA-1 or SHA-256 here, not %v", o.Hash)
	}
	return algorithm, nil
}
