package keystore

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// TestSharedSecretsAreThoseOfGo agrees with a key pair of Go's on every curve:
// with Go's public key here, with the key's public key there; and with a second
// key of the service.
func TestSharedSecretsAreThoseOfGo(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for spec, curve := range map[kmsv1.KeySpec]ecdh.Curve{
		kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256: ecdh.P256(), kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P384: ecdh.P384(), kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P521: ecdh.P521(),
	} {
		key, other := s.keyOf(spec, keyAgreement), s.keyOf(spec, keyAgreement)
		peer, err := curve.GenerateKey(rand.Reader)
		s.must(err)
		spki, err := x509.MarshalPKIXPublicKey(peer.PublicKey())
		s.must(err)
		theirs, err := peer.ECDH(s.ecdhKey(key))
		s.must(err)
		if ours := s.agreed(key, spki); !bytes.Equal(ours, theirs) {
			t.Errorf("%s: with Go: %d bytes here, %d bytes there, not the same", spec, len(ours), len(theirs))
		}
		if a, b := s.agreed(key, s.publicKey(other)), s.agreed(other, s.publicKey(key)); !bytes.Equal(a, b) || bytes.Equal(a, theirs) {
			t.Errorf("%s: two keys of the service do not agree", spec)
		}
	}
}

// ecdhKey is the public key of a key of the service as Go's ECDH has it.
func (s *service) ecdhKey(key *kmsv1.KeyMetadata) *ecdh.PublicKey {
	s.t.Helper()
	parsed, err := x509.ParsePKIXPublicKey(s.publicKey(key))
	s.must(err)
	public, err := parsed.(*ecdsa.PublicKey).ECDH()
	s.must(err)
	return public
}

func (s *service) agreed(key *kmsv1.KeyMetadata, peer []byte) []byte {
	s.t.Helper()
	res, err := s.deriveWith(key, peer)
	s.must(err)
	return res.SharedSecret
}

func (s *service) deriveWith(key *kmsv1.KeyMetadata, peer []byte) (*kmsv1.DeriveSharedSecretResponse, error) {
	return s.DeriveSharedSecret(s.as(app), &kmsv1.DeriveSharedSecretRequest{KeyId: key.KeyId, PublicKey: peer,
		KeyAgreementAlgorithm: kmsv1.KeyAgreementAlgorithmSpec_KEY_AGREEMENT_ALGORITHM_SPEC_ECDH.Enum()})
}

// TestSharedSecretsNeedAPointOfTheCurve gives DeriveSharedSecret what is no point
// of the key's curve: such a point would tell of the private key.
func TestSharedSecretsNeedAPointOfTheCurve(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, other := s.keyOf(kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256, keyAgreement), s.keyOf(kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P384, keyAgreement)
	own := s.publicKey(key)
	for what, peer := range map[string][]byte{
		"off the curve": altered(own, len(own)-1), "another curve": s.publicKey(other), "cut": own[:len(own)-1], "garbage": []byte("garbage"),
		"longer": append(bytes.Clone(own), 0),
	} {
		_, err := s.deriveWith(key, peer)
		wantKind(t, what, err, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION)
	}
	if restarts := s.pool.Describe()[0].Restarts; restarts != 0 {
		t.Errorf("bad public keys replaced the worker %d times", restarts)
	}
}

// TestDataKeyPairsMatch sees for pairs of every spec that the private key is that
// of the public key, and that its ciphertext holds it. RSA-4096 differs by its
// seconds only; Ed25519 keys leave no SoftHSM.
func TestDataKeyPairsMatch(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, inContext := s.createKey(), map[string]string{"tenant": "acme"}
	for n := range kmsv1.DataKeyPairSpec_name {
		spec := kmsv1.DataKeyPairSpec(n)
		switch spec {
		case kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_RSA_4096, kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_NIST_EDWARDS25519:
			continue
		}
		if pairType(spec) == 0 {
			continue
		}
		t.Run(spec.String(), func(t *testing.T) {
			s := s.in(t)
			made, err := s.GenerateDataKeyPair(s.as(app), &kmsv1.GenerateDataKeyPairRequest{KeyId: key.KeyId, KeyPairSpec: &spec, EncryptionContext: inContext})
			s.must(err)
			opened, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: made.PrivateKeyCiphertextBlob, EncryptionContext: inContext})
			s.must(err)
			if !bytes.Equal(opened.Plaintext, made.PrivateKeyPlaintext) {
				t.Error("the ciphertext does not hold the private key")
			}
			if err := matches(made.PrivateKeyPlaintext, made.PublicKey); err != nil {
				t.Error(err)
			}
			without, err := s.GenerateDataKeyPairWithoutPlaintext(s.as(app), &kmsv1.GenerateDataKeyPairWithoutPlaintextRequest{KeyId: key.KeyId, KeyPairSpec: &spec})
			s.must(err)
			opened, err = s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: without.PrivateKeyCiphertextBlob})
			s.must(err)
			if err := matches(opened.Plaintext, without.PublicKey); err != nil || bytes.Equal(without.PublicKey, made.PublicKey) {
				t.Errorf("without plaintext: %v", err)
			}
		})
	}
}

// matches says whether a PKCS#8 private key is that of a SubjectPublicKeyInfo.
func matches(pkcs8, spki []byte) error {
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return matchesOnSecp256k1(pkcs8, spki)
	}
	public, err := x509.MarshalPKIXPublicKey(key.(crypto.Signer).Public())
	if err == nil && !bytes.Equal(public, spki) {
		err = fmt.Errorf("the public key is %x, that of the private key %x", spki, public)
	}
	return err
}

// matchesOnSecp256k1 finds the private key, which x509 cannot read, as the 32
// bytes after the version of the ECPrivateKey (RFC 5915): 02 01 01 04 20.
func matchesOnSecp256k1(pkcs8, spki []byte) error {
	_, after, found := bytes.Cut(pkcs8, []byte{2, 1, 1, 4, 32})
	if !found || len(after) < 32 {
		return fmt.Errorf("there is no ECPrivateKey of 32 bytes in a PKCS#8 of %d", len(pkcs8))
	}
	public := secp256k1.PrivKeyFromBytes(after[:32]).PubKey().SerializeUncompressed()
	if !bytes.HasSuffix(spki, public) {
		return fmt.Errorf("the public key is not that of the private key")
	}
	return nil
}
