package client

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Signer signs with a key in an HSM. It is a crypto.Signer, for crypto/x509,
// crypto/tls and others, and may be used from many goroutines.
type Signer struct {
	publicKey

	algorithms []kmsv1.SigningAlgorithmSpec
}

// Signer returns the signer of an RSA, NIST curve or Ed25519 key for SIGN_VERIFY,
// and fetches its public key. keyID is an id, an ARN or an alias; an alias is
// followed once. When ctx ends, signatures fail; each waits 30 s at most.
func (c *Client) Signer(ctx context.Context, keyID string) (*Signer, error) {
	key, answer, err := c.fetch(ctx, keyID, kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY)
	if err != nil {
		return nil, err
	}
	return &Signer{publicKey: key, algorithms: answer.GetSigningAlgorithms()}, nil
}

// Sign is part of crypto.Signer. digest is that of opts.HashFunc(); for Ed25519
// with a hash of 0 it is the message, of up to 4,096 bytes. RSA signs with PSS
// for *rsa.PSSOptions, whose salt is as long as the hash, and otherwise with
// PKCS #1 v1.5. The random numbers are the HSM's.
func (s *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	algorithm, err := s.algorithm(opts)
	if err != nil {
		return nil, fmt.Errorf("signing with key %s: %w", s.id, err)
	}
	kind := kmsv1.MessageType_MESSAGE_TYPE_DIGEST
	if hash := opts.HashFunc(); hash == 0 {
		kind = kmsv1.MessageType_MESSAGE_TYPE_RAW
	} else if len(digest) != hash.Size() {
		return nil, fmt.Errorf("signing with key %s: a digest of %v has %d bytes, not %d", s.id, hash, hash.Size(), len(digest))
	}
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	answer, err := s.client.KMS.Sign(ctx, &kmsv1.SignRequest{
		KeyId: &s.id, Message: digest, MessageType: &kind, SigningAlgorithm: &algorithm,
	})
	if err != nil {
		return nil, fmt.Errorf("signing with key %s: %w", s.id, err)
	}
	return answer.GetSignature(), nil
}

// algorithm is what the options mean for the key.
func (s *Signer) algorithm(opts crypto.SignerOpts) (kmsv1.SigningAlgorithmSpec, error) {
	if opts == nil {
		return 0, errors.New("there are no options, which say the hash")
	}
	algorithm, err := signingAlgorithm(s.public, opts)
	if err == nil && !slices.Contains(s.algorithms, algorithm) {
		err = fmt.Errorf("the key does not sign with %s", short(algorithm))
	}
	return algorithm, err
}

// signingAlgorithm names the algorithm of a type of key and its options.
func signingAlgorithm(public crypto.PublicKey, opts crypto.SignerOpts) (kmsv1.SigningAlgorithmSpec, error) {
	hash := opts.HashFunc()
	var byHash map[crypto.Hash]kmsv1.SigningAlgorithmSpec
	switch public.(type) {
	case *rsa.PublicKey:
		byHash = pkcs1
		if o, ok := opts.(*rsa.PSSOptions); ok {
			if err := checkSalt(o.SaltLength, hash); err != nil {
				return 0, err
			}
			byHash = pss
		}
	case *ecdsa.PublicKey:
		byHash = ecdsas
	case ed25519.PublicKey:
		if o, ok := opts.(*ed25519.Options); ok && o.Context != "" {
			return 0, errors.New("an Ed25519 signature has no context here")
		}
		byHash = edwards
	}
	algorithm, ok := byHash[hash]
	if !ok {
		return 0, fmt.Errorf("there is no signature of a %T with the hash %v", public, hash)
	}
	return algorithm, nil
}

// checkSalt refuses what the server would not do: its salts are as long as the
// hash. PSSSaltLengthAuto leaves the length to the signer.
func checkSalt(length int, hash crypto.Hash) error {
	switch length {
	case rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash:
		return nil
	}
	if hash.Available() && length == hash.Size() {
		return nil
	}
	return fmt.Errorf("a PSS salt is as long as the hash, not %d bytes", length)
}
