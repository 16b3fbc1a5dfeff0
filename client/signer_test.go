package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func TestWhatSignerOptionsMean(t *testing.T) {
	rsaKey, ecKey, edKey := &rsa.PublicKey{}, &ecdsa.PublicKey{}, ed25519.PublicKey{}
	tests := map[string]struct {
		public crypto.PublicKey
		opts   crypto.SignerOpts
		want   string // an algorithm, or what the error says
	}{
		"PKCS #1":                {rsaKey, crypto.SHA384, "RSASSA_PKCS1_V1_5_SHA_384"},
		"PSS":                    {rsaKey, &rsa.PSSOptions{Hash: crypto.SHA512, SaltLength: rsa.PSSSaltLengthEqualsHash}, "RSASSA_PSS_SHA_512"},
		"PSS, any salt":          {rsaKey, &rsa.PSSOptions{Hash: crypto.SHA256}, "RSASSA_PSS_SHA_256"},
		"PSS, the salt in bytes": {rsaKey, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 32}, "RSASSA_PSS_SHA_256"},
		"PSS, another salt":      {rsaKey, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 20}, "not 20 bytes"},
		"SHA-1":                  {rsaKey, crypto.SHA1, "with the hash SHA-1"},
		"RSA without a hash":     {rsaKey, crypto.Hash(0), "with the hash"},
		"ECDSA":                  {ecKey, crypto.SHA256, "ECDSA_SHA_256"},
		"ECDSA without a hash":   {ecKey, crypto.Hash(0), "with the hash"},
		"Ed25519":                {edKey, crypto.Hash(0), "ED25519_SHA_512"},
		"Ed25519ph":              {edKey, &ed25519.Options{Hash: crypto.SHA512}, "ED25519_PH_SHA_512"},
		"Ed25519ctx":             {edKey, &ed25519.Options{Context: "mail"}, "no context"},
		"no key":                 {nil, crypto.SHA256, "no signature of a <nil>"},
	}
	for name, test := range tests {
		algorithm, err := signingAlgorithm(test.public, test.opts)
		if got := short(algorithm); got != test.want && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, test.want)
		}
	}
}

// What the key does not do is not asked of the server, which is not there here.
func TestASignerRefusesWhatItsKeyDoesNot(t *testing.T) {
	s := &Signer{publicKey: publicKey{public: &ecdsa.PublicKey{}}, algorithms: []kmsv1.SigningAlgorithmSpec{ecdsas[crypto.SHA256]}}
	digest := sha256.Sum256(nil)
	for want, opts := range map[string]crypto.SignerOpts{
		"does not sign with ECDSA_SHA_384": crypto.SHA384, "no options": nil,
		"a digest of SHA-256 has 32 bytes, not 31": crypto.SHA256,
	} {
		if _, err := s.Sign(nil, digest[1:], opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestWhatDecrypterOptionsMean(t *testing.T) {
	tests := map[string]struct {
		opts crypto.DecrypterOpts
		want string
	}{
		"SHA-1":      {&rsa.OAEPOptions{Hash: crypto.SHA1}, "RSAES_OAEP_SHA_1"},
		"SHA-256":    {&rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA256}, "RSAES_OAEP_SHA_256"},
		"SHA-512":    {&rsa.OAEPOptions{Hash: crypto.SHA512}, "not SHA-512"},
		"two hashes": {&rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1}, "one hash"},
		"a label":    {&rsa.OAEPOptions{Hash: crypto.SHA256, Label: []byte("l")}, "no label"},
		"no OAEP":    {crypto.SHA256, "only OAEP"},
		"nothing":    {nil, "only OAEP"},
	}
	for name, test := range tests {
		algorithm, err := oaepAlgorithm(test.opts)
		if err == nil {
			err = errors.New(short(algorithm))
		}
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}
