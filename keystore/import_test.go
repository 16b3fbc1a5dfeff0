package keystore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"hash"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const (
	wrapSHA1   = kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_1
	wrapSHA256 = kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_256
)

// awaitingKey makes a key that awaits its material.
func (s *service) awaitingKey(spec kmsv1.KeySpec, usage kmsv1.KeyUsageType) *kmsv1.KeyMetadata {
	s.t.Helper()
	res, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage, Origin: external.Enum()})
	s.must(err)
	return res.KeyMetadata
}

// wrap wraps material for a key, and returns what goes to ImportKeyMaterial.
func (s *service) wrap(keyID *string, a kmsv1.AlgorithmSpec, material []byte) *kmsv1.ImportKeyMaterialRequest {
	s.t.Helper()
	p, err := s.GetParametersForImport(s.as(admin), &kmsv1.GetParametersForImportRequest{
		KeyId: keyID, WrappingAlgorithm: &a, WrappingKeySpec: kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_2048.Enum(),
	})
	s.must(err)
	key, err := x509.ParsePKIXPublicKey(p.PublicKey)
	s.must(err)
	h := map[kmsv1.AlgorithmSpec]func() hash.Hash{wrapSHA1: sha1.New, wrapSHA256: sha256.New}[a]
	wrapped, err := rsa.EncryptOAEP(h(), rand.Reader, key.(*rsa.PublicKey), material, nil)
	s.must(err)
	return &kmsv1.ImportKeyMaterialRequest{
		KeyId: keyID, ImportToken: p.ImportToken, EncryptedKeyMaterial: wrapped,
		ExpirationModel: kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_DOES_NOT_EXPIRE.Enum(),
	}
}

func (s *service) importInto(keyID *string, a kmsv1.AlgorithmSpec, material []byte) {
	s.t.Helper()
	_, err := s.ImportKeyMaterial(s.as(admin), s.wrap(keyID, a, material))
	s.must(err)
}

func (s *service) state(keyID *string) kmsv1.KeyState {
	s.t.Helper()
	res, err := s.DescribeKey(s.as(admin), &kmsv1.DescribeKeyRequest{KeyId: keyID})
	s.must(err)
	return res.KeyMetadata.GetKeyState()
}

// TestImportedMaterialIsUsedUntilItIsDeleted imports a symmetric key, deletes its
// material and imports it again: what it has encrypted is decrypted again, and no
// other material is taken.
func TestImportedMaterialIsUsedUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	for _, a := range []kmsv1.AlgorithmSpec{wrapSHA1, wrapSHA256} {
		t.Run(a.String(), func(t *testing.T) {
			s := startService(t)
			material := bytes.Repeat([]byte{7}, 32)
			key := s.awaitingKey(kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT, encryptDecrypt)
			if key.GetKeyState() != pendingImport || key.GetEnabled() || key.CurrentKeyMaterialId != nil {
				t.Errorf("a key without material is %v", key)
			}
			s.importInto(key.KeyId, a, material)
			sealed, err := s.encrypt(*key.KeyId)
			s.must(err)

			_, err = s.DeleteImportedKeyMaterial(s.as(admin), &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: key.KeyId})
			s.must(err)
			if got := s.state(key.KeyId); got != pendingImport {
				t.Errorf("without its material the key is %v", got)
			}
			if _, err := s.encrypt(*key.KeyId); AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE {
				t.Errorf("encrypting without material: %v", err)
			}
			s.expectOneTruth()

			_, err = s.ImportKeyMaterial(s.as(admin), s.wrap(key.KeyId, a, bytes.Repeat([]byte{8}, 32)))
			if err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_KEY_MATERIAL {
				t.Errorf("importing other material: %v", err)
			}
			s.importInto(key.KeyId, a, material)
			if _, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed}); err != nil {
				t.Errorf("what the material had encrypted: %v", err)
			}
			s.expectOneTruth()
		})
	}
}

// TestImportedMaterialExpires destroys material at its time, and not before.
func TestImportedMaterialExpires(t *testing.T) {
	t.Parallel()
	s, clock := startClocked(t)
	key := s.awaitingKey(kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT, encryptDecrypt)
	req := s.wrap(key.KeyId, wrapSHA1, bytes.Repeat([]byte{7}, 32))
	req.ExpirationModel, req.ValidTo = nil, timestamppb.New(clock.now().Add(time.Hour))
	_, err := s.ImportKeyMaterial(s.as(admin), req)
	s.must(err)
	if got := s.state(key.KeyId); got != enabled {
		t.Errorf("the key is %v", got)
	}
	clock.advance(2 * time.Hour)
	_, err = s.UpdateKeyDescription(s.as(admin), &kmsv1.UpdateKeyDescriptionRequest{KeyId: key.KeyId, Description: new("a change has the clock looked at")})
	s.must(err)
	if e := s.awaitEvent(deleteExpired, 1); e.ErrorCode != "" {
		t.Errorf("the event is %+v", e)
	}
	if got := s.state(key.KeyId); got != pendingImport {
		t.Errorf("the key is %v", got)
	}
	s.expectOneTruth()
}

// TestImportedKeyPairSigns imports a private key, whose public key is found out.
func TestImportedKeyPairSigns(t *testing.T) {
	t.Parallel()
	s := startService(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	s.must(err)
	key := s.awaitingKey(kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256, signVerify)
	s.importInto(key.KeyId, wrapSHA256, der)
	message := []byte("a message")
	res, err := s.Sign(s.as(app), &kmsv1.SignRequest{KeyId: key.KeyId, Message: message, SigningAlgorithm: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256.Enum()})
	s.must(err)
	digest := sha256.Sum256(message)
	if !ecdsa.VerifyASN1(&private.PublicKey, digest[:], res.Signature) {
		t.Error("the signature is not one of the key that was imported")
	}
}
