package keystore

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Names for what these tests use most.
const (
	oaepSHA1   = kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_1
	oaepSHA256 = kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_256
	ofDigest   = kmsv1.MessageType_MESSAGE_TYPE_DIGEST
	ofMessage  = kmsv1.MessageType_MESSAGE_TYPE_RAW
)

// keyOf makes a key of a spec and usage.
func (s *service) keyOf(spec kmsv1.KeySpec, usage kmsv1.KeyUsageType) *kmsv1.KeyMetadata {
	s.t.Helper()
	res, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage})
	s.must(err)
	return res.KeyMetadata
}

// publicKey asks for the public key of a key, in DER.
func (s *service) publicKey(key *kmsv1.KeyMetadata) []byte {
	s.t.Helper()
	res, err := s.GetPublicKey(s.as(app), &kmsv1.GetPublicKeyRequest{KeyId: key.KeyId})
	s.must(err)
	return res.PublicKey
}

// wantKind sees that an error is of a kind.
func wantKind(t *testing.T, what string, err error, want Kind) {
	t.Helper()
	if err == nil || AsError(err).Kind != want {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// in is the service for a subtest.
func (s service) in(t *testing.T) *service {
	s.t = t
	return &s
}

// can says whether the HSM can do an algorithm, by its own test of it.
func (s *service) can(a hsmpool.Algorithm) bool {
	s.t.Helper()
	all, err := s.pool.Capabilities(s.t.Context())
	s.must(err)
	return slices.ContainsFunc(all, func(c hsmpool.Capability) bool { return c.Algorithm == a && c.Missing == "" })
}

// verifies says what Go's crypto thinks of a signature of a message.
func verifies(spki []byte, a kmsv1.SigningAlgorithmSpec, message, signature []byte) error {
	hash := signatureAlgorithmOf(a).hash
	digest := message
	if hash != 0 {
		h := hash.New()
		h.Write(message)
		digest = h.Sum(nil)
	}
	if key, err := x509.ParsePKIXPublicKey(spki); err == nil {
		return verifiesWith(key, a, digest, signature, hash)
	}
	return verifiesOnSecp256k1(spki, digest, signature)
}

func verifiesWith(key any, a kmsv1.SigningAlgorithmSpec, digest, signature []byte, hash crypto.Hash) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if a >= kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_256 {
			return rsa.VerifyPKCS1v15(k, hash, digest, signature)
		}
		return rsa.VerifyPSS(k, hash, digest, signature, &rsa.PSSOptions{SaltLength: hash.Size()})
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(k, digest, signature) {
			return fmt.Errorf("ECDSA on %s: not a signature", k.Curve.Params().Name)
		}
		return nil
	case ed25519.PublicKey:
		return ed25519.VerifyWithOptions(k, digest, signature, &ed25519.Options{Hash: hash})
	}
	return fmt.Errorf("a key of type %T", key)
}

// verifiesOnSecp256k1 takes the point from the end of the SubjectPublicKeyInfo,
// where SEC 1 has it: 65 bytes, uncompressed.
func verifiesOnSecp256k1(spki, digest, signature []byte) error {
	key, err := secp256k1.ParsePubKey(spki[len(spki)-65:])
	if err != nil {
		return err
	}
	sig, err := secpecdsa.ParseDERSignature(signature)
	if err == nil && !sig.Verify(digest, key) {
		err = fmt.Errorf("ECDSA on secp256k1: not a signature")
	}
	return err
}

// offeredSpecs are the key specs that the service has, with their usages.
func offeredSpecs() map[kmsv1.KeySpec]map[kmsv1.KeyUsageType]kind {
	all := map[kmsv1.KeySpec]map[kmsv1.KeyUsageType]kind{}
	for n := range kmsv1.KeySpec_name {
		if usages := usagesOf(kmsv1.KeySpec(n)); usages != nil {
			all[kmsv1.KeySpec(n)] = usages
		}
	}
	return all
}

// TestSignaturesAreThoseOfGo signs with a key of every spec by every algorithm of
// it, messages and digests; Go verifies, and so does Verify, which refuses what
// is altered.
func TestSignaturesAreThoseOfGo(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for spec, usages := range offeredSpecs() {
		signs, ok := usages[signVerify]
		if !ok {
			continue
		}
		key := s.keyOf(spec, signVerify)
		spki := s.publicKey(key)
		for _, a := range signs.signing {
			if !s.can(signatureAlgorithmOf(a).hsm) {
				continue // SoftHSM has no Ed25519ph
			}
			t.Run(fmt.Sprintf("%s %s", spec, a), func(t *testing.T) { s.in(t).checkSignatures(t, key, spki, a) })
		}
	}
}

func (s *service) checkSignatures(t *testing.T, key *kmsv1.KeyMetadata, spki []byte, a kmsv1.SigningAlgorithmSpec) {
	message := []byte("the message of " + a.String())
	for _, kind := range []kmsv1.MessageType{ofMessage, ofDigest} {
		given, taken := message, signatureAlgorithmOf(a)
		if kind == ofDigest && taken.hash != 0 {
			h := taken.hash.New()
			h.Write(message)
			given = h.Sum(nil)
		}
		res, err := s.Sign(s.as(app), &kmsv1.SignRequest{KeyId: key.KeyId, Message: given, MessageType: &kind, SigningAlgorithm: &a})
		if kind == ofDigest && !taken.digest || kind == ofMessage && !taken.raw {
			wantKind(t, kind.String(), err, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION)
			continue
		}
		s.must(err)
		if err := verifies(spki, a, message, res.Signature); err != nil || res.GetKeyId() != key.GetArn() || res.GetSigningAlgorithm() != a {
			t.Errorf("%s: signature by %s, %s: %v", kind, res.GetKeyId(), res.GetSigningAlgorithm(), err)
		}
		s.checkVerify(t, &kmsv1.VerifyRequest{KeyId: key.KeyId, Message: given, MessageType: &kind, SigningAlgorithm: &a, Signature: res.Signature})
	}
}

// checkVerify sees that Verify accepts a request, and not when a bit of the
// message or of the signature is another, or the signature is cut.
func (s *service) checkVerify(t *testing.T, req *kmsv1.VerifyRequest) {
	t.Helper()
	res, err := s.Verify(s.as(app), req)
	if err != nil || !res.GetSignatureValid() {
		t.Fatalf("Verify = %v, %v", res, err)
	}
	message, signature := req.Message, req.Signature
	try := func(what string, m, sig []byte) {
		req.Message, req.Signature = m, sig
		_, err := s.Verify(s.as(app), req)
		wantKind(t, what, err, annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_SIGNATURE)
	}
	try("altered message", altered(message, len(message)-1), signature)
	for _, i := range []int{0, len(signature) / 2, len(signature) - 1} {
		try(fmt.Sprintf("altered byte %d of the signature", i), message, altered(signature, i))
	}
	try("cut signature", message, signature[:len(signature)-1])
	try("longer signature", message, append(bytes.Clone(signature), 0))
}

// altered is a copy with a bit of a byte flipped.
func altered(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// TestDigestsHaveTheLengthOfTheirHash gives Sign and Verify a digest of a byte
// less and of one more.
func TestDigestsHaveTheLengthOfTheirHash(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.keyOf(kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P384, signVerify)
	a := kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_384
	for _, n := range []int{47, 48, 49} {
		_, err := s.Sign(s.as(app), &kmsv1.SignRequest{KeyId: key.KeyId, Message: make([]byte, n), MessageType: ofDigest.Enum(), SigningAlgorithm: &a})
		_, verr := s.Verify(s.as(app), &kmsv1.VerifyRequest{KeyId: key.KeyId, Message: make([]byte, n), MessageType: ofDigest.Enum(), SigningAlgorithm: &a, Signature: []byte("x")})
		if n == 48 {
			s.must(err)
			wantKind(t, "no signature at all", verr, annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_SIGNATURE)
			continue
		}
		for _, err := range []error{err, verr} {
			if err == nil || AsError(err).Message != "Digest is invalid length for algorithm ECDSA_SHA_384." {
				t.Errorf("a digest of %d bytes: %v", n, err)
			}
		}
	}
}

// TestMACsAreDeterministicAndTellEverythingApart makes MACs with a key of every
// spec: two keys, two messages, and an altered or cut MAC are told apart.
func TestMACsAreDeterministicAndTellEverythingApart(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for spec, usages := range offeredSpecs() {
		macs, ok := usages[generateVerifyMac]
		if !ok {
			continue
		}
		a, key, other := macs.mac[0], s.keyOf(spec, generateVerifyMac), s.keyOf(spec, generateVerifyMac)
		mac := func(key *kmsv1.KeyMetadata, message string) []byte {
			res, err := s.GenerateMac(s.as(app), &kmsv1.GenerateMacRequest{KeyId: key.KeyId, Message: []byte(message), MacAlgorithm: &a})
			s.must(err)
			return res.Mac
		}
		first := mac(key, "message")
		if !bytes.Equal(first, mac(key, "message")) || bytes.Equal(first, mac(key, "messagf")) || bytes.Equal(first, mac(other, "message")) {
			t.Errorf("%s: the MACs do not tell messages and keys apart", spec)
		}
		if want := map[kmsv1.KeySpec]int{
			kmsv1.KeySpec_KEY_SPEC_HMAC_224: 28, kmsv1.KeySpec_KEY_SPEC_HMAC_256: 32, kmsv1.KeySpec_KEY_SPEC_HMAC_384: 48, kmsv1.KeySpec_KEY_SPEC_HMAC_512: 64,
		}[spec]; len(first) != want {
			t.Errorf("%s: a MAC of %d bytes, want %d", spec, len(first), want)
		}
		verify := func(message string, mac []byte) error {
			res, err := s.VerifyMac(s.as(app), &kmsv1.VerifyMacRequest{KeyId: key.KeyId, Message: []byte(message), Mac: mac, MacAlgorithm: &a})
			if err == nil && !res.GetMacValid() {
				t.Errorf("%s: VerifyMac = %v", spec, res)
			}
			return err
		}
		s.must(verify("message", first))
		for what, err := range map[string]error{
			"another message": verify("messagf", first), "altered": verify("message", altered(first, 0)),
			"cut": verify("message", first[:len(first)-1]), "longer": verify("message", append(bytes.Clone(first), 0)),
			"another key's": verify("message", mac(other, "message")),
		} {
			wantKind(t, fmt.Sprintf("%s, %s", spec, what), err, annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_MAC)
		}
	}
}

// TestRSAEncryptionIsThatOfGo encrypts with Go's OAEP what Decrypt decrypts, at
// the longest plaintext of each algorithm (RFC 8017, 7.1.1) and past it.
func TestRSAEncryptionIsThatOfGo(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for _, c := range []struct {
		spec    kmsv1.KeySpec
		longest map[kmsv1.EncryptionAlgorithmSpec]int // bytes
	}{
		{kmsv1.KeySpec_KEY_SPEC_RSA_2048, map[kmsv1.EncryptionAlgorithmSpec]int{oaepSHA1: 214, oaepSHA256: 190}},
		{kmsv1.KeySpec_KEY_SPEC_RSA_3072, map[kmsv1.EncryptionAlgorithmSpec]int{oaepSHA1: 342, oaepSHA256: 318}},
	} {
		key := s.keyOf(c.spec, encryptDecrypt)
		parsed, err := x509.ParsePKIXPublicKey(s.publicKey(key))
		s.must(err)
		for a, n := range c.longest {
			t.Run(fmt.Sprintf("%s %s", c.spec, a), func(t *testing.T) { s.in(t).checkOAEP(t, key, parsed.(*rsa.PublicKey), a, n) })
		}
	}
}

func (s *service) checkOAEP(t *testing.T, key *kmsv1.KeyMetadata, public *rsa.PublicKey, a kmsv1.EncryptionAlgorithmSpec, longest int) {
	plaintext := make([]byte, longest+1)
	_, _ = rand.Read(plaintext)
	for _, n := range []int{1, longest} {
		sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: plaintext[:n], EncryptionAlgorithm: &a})
		s.must(err)
		byGo := goOAEP(t, public, a, plaintext[:n])
		for whose, ciphertext := range map[string][]byte{"Encrypt": sealed.CiphertextBlob, "Go": byGo} {
			opened, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{KeyId: key.KeyId, CiphertextBlob: ciphertext, EncryptionAlgorithm: &a})
			if err != nil || !bytes.Equal(opened.Plaintext, plaintext[:n]) {
				t.Errorf("%d bytes by %s: %v", n, whose, err)
			}
		}
		for _, i := range []int{0, len(byGo) - 1} {
			_, err = s.Decrypt(s.as(app), &kmsv1.DecryptRequest{KeyId: key.KeyId, CiphertextBlob: altered(byGo, i), EncryptionAlgorithm: &a})
			wantKind(t, fmt.Sprintf("altered byte %d", i), err, annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT)
		}
		wrong := oaepSHA1 + oaepSHA256 - a
		_, err = s.Decrypt(s.as(app), &kmsv1.DecryptRequest{KeyId: key.KeyId, CiphertextBlob: byGo, EncryptionAlgorithm: &wrong})
		wantKind(t, "the other hash", err, annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT)
	}
	_, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: plaintext, EncryptionAlgorithm: &a})
	wantKind(t, "a byte too long", err, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION)
}

func goOAEP(t *testing.T, public *rsa.PublicKey, a kmsv1.EncryptionAlgorithmSpec, plaintext []byte) []byte {
	t.Helper()
	hash := sha256.New()
	if a == oaepSHA1 {
		hash = sha1.New()
	}
	ciphertext, err := rsa.EncryptOAEP(hash, rand.Reader, public, plaintext, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ciphertext
}

// TestReEncryptBetweenSymmetricAndRSAKeys takes a plaintext from a symmetric key
// to an RSA key and back, and one that is too long for RSA nowhere.
func TestReEncryptBetweenSymmetricAndRSAKeys(t *testing.T) {
	t.Parallel()
	s := startService(t)
	symmetric, asymmetric := s.createKey(), s.keyOf(kmsv1.KeySpec_KEY_SPEC_RSA_2048, encryptDecrypt)
	inContext := map[string]string{"tenant": "acme"}
	seal := func(n int) []byte {
		sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: symmetric.KeyId, Plaintext: bytes.Repeat([]byte("p"), n), EncryptionContext: inContext})
		s.must(err)
		return sealed.CiphertextBlob
	}
	toRSA := func(n int) (*kmsv1.ReEncryptResponse, error) {
		return s.ReEncrypt(s.as(app), &kmsv1.ReEncryptRequest{CiphertextBlob: seal(n), SourceEncryptionContext: inContext,
			DestinationKeyId: asymmetric.KeyId, DestinationEncryptionAlgorithm: oaepSHA256.Enum()})
	}
	there, err := toRSA(190)
	s.must(err)
	if there.GetKeyId() != asymmetric.GetArn() || there.GetSourceKeyId() != symmetric.GetArn() || there.DestinationKeyMaterialId != nil {
		t.Errorf("to RSA: %v", there)
	}
	back, err := s.ReEncrypt(s.as(app), &kmsv1.ReEncryptRequest{CiphertextBlob: there.CiphertextBlob, SourceKeyId: asymmetric.KeyId,
		SourceEncryptionAlgorithm: oaepSHA256.Enum(), DestinationKeyId: symmetric.KeyId, DestinationEncryptionContext: inContext})
	s.must(err)
	opened, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: back.CiphertextBlob, EncryptionContext: inContext})
	if err != nil || !bytes.Equal(opened.Plaintext, bytes.Repeat([]byte("p"), 190)) {
		t.Errorf("there and back: %q, %v", opened.GetPlaintext(), err)
	}
	_, err = toRSA(191)
	wantKind(t, "a plaintext too long for RSA", err, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION)
}

// TestWhatTheTokenCannotSignIsRefused asks SoftHSM for Ed25519ph, for which it
// would answer something else.
func TestWhatTheTokenCannotSignIsRefused(t *testing.T) {
	t.Parallel()
	s := startService(t)
	a := kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ED25519_PH_SHA_512
	key := s.keyOf(kmsv1.KeySpec_KEY_SPEC_ECC_NIST_EDWARDS25519, signVerify)
	digest := sha512.Sum512([]byte("m"))
	_, err := s.Sign(s.as(app), &kmsv1.SignRequest{KeyId: key.KeyId, Message: digest[:], MessageType: ofDigest.Enum(), SigningAlgorithm: &a})
	if err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_VALIDATION || !strings.Contains(err.Error(), "CKM_EDDSA") {
		t.Errorf("Sign by Ed25519ph: %v", err)
	}
}
