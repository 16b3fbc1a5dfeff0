package keystore

import (
	"crypto"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// The usages of a KMS key.
const (
	encryptDecrypt    = kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT
	signVerify        = kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY
	generateVerifyMac = kmsv1.KeyUsageType_KEY_USAGE_TYPE_GENERATE_VERIFY_MAC
	keyAgreement      = kmsv1.KeyUsageType_KEY_USAGE_TYPE_KEY_AGREEMENT
)

// kind is what a key spec and a key usage mean: to the HSM, and to the API.
type kind struct {
	typ        hsmpool.KeyType
	use        hsmpool.Use
	encryption []kmsv1.EncryptionAlgorithmSpec
	signing    []kmsv1.SigningAlgorithmSpec
	mac        []kmsv1.MacAlgorithmSpec
	agreement  []kmsv1.KeyAgreementAlgorithmSpec
}

// asymmetric says whether keys of the kind have a public key.
func (k kind) asymmetric() bool { return k.typ >= hsmpool.RSA2048 }

// symmetric is the kind of symmetric encryption keys.
func (k kind) symmetric() bool { return k.typ == hsmpool.AES256 }

// usagesOf are the usages of a key spec, as the page "Key spec reference" of the
// AWS KMS Developer Guide has them; none: the service does not have the spec.
func usagesOf(s kmsv1.KeySpec) map[kmsv1.KeyUsageType]kind {
	switch s {
	case kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT:
		return map[kmsv1.KeyUsageType]kind{encryptDecrypt: {
			typ: hsmpool.AES256, use: hsmpool.Encrypt, encryption: []kmsv1.EncryptionAlgorithmSpec{symmetricDefault},
		}}
	case kmsv1.KeySpec_KEY_SPEC_HMAC_224:
		return ofMAC(hsmpool.HMAC224, kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_224)
	case kmsv1.KeySpec_KEY_SPEC_HMAC_256:
		return ofMAC(hsmpool.HMAC256, kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_256)
	case kmsv1.KeySpec_KEY_SPEC_HMAC_384:
		return ofMAC(hsmpool.HMAC384, kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_384)
	case kmsv1.KeySpec_KEY_SPEC_HMAC_512:
		return ofMAC(hsmpool.HMAC512, kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_512)
	case kmsv1.KeySpec_KEY_SPEC_RSA_2048:
		return ofRSA(hsmpool.RSA2048)
	case kmsv1.KeySpec_KEY_SPEC_RSA_3072:
		return ofRSA(hsmpool.RSA3072)
	case kmsv1.KeySpec_KEY_SPEC_RSA_4096:
		return ofRSA(hsmpool.RSA4096)
	case kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256:
		return ofCurve(hsmpool.P256, kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256)
	case kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P384:
		return ofCurve(hsmpool.P384, kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_384)
	case kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P521:
		return ofCurve(hsmpool.P521, kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_512)
	case kmsv1.KeySpec_KEY_SPEC_ECC_SECG_P256_K1:
		return map[kmsv1.KeyUsageType]kind{signVerify: signing(hsmpool.Secp256k1, kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256)}
	case kmsv1.KeySpec_KEY_SPEC_ECC_NIST_EDWARDS25519:
		return map[kmsv1.KeyUsageType]kind{signVerify: signing(hsmpool.Ed25519,
			kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ED25519_SHA_512, kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ED25519_PH_SHA_512)}
	}
	return nil
}

func ofMAC(t hsmpool.KeyType, a kmsv1.MacAlgorithmSpec) map[kmsv1.KeyUsageType]kind {
	return map[kmsv1.KeyUsageType]kind{generateVerifyMac: {typ: t, use: hsmpool.MAC, mac: []kmsv1.MacAlgorithmSpec{a}}}
}

func ofRSA(t hsmpool.KeyType) map[kmsv1.KeyUsageType]kind {
	return map[kmsv1.KeyUsageType]kind{
		encryptDecrypt: {typ: t, use: hsmpool.Encrypt, encryption: []kmsv1.EncryptionAlgorithmSpec{
			kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_1,
			kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_256,
		}},
		signVerify: signing(t,
			kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_256,
			kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_384,
			kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_512,
			kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_256,
			kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_384,
			kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_512),
	}
}

func ofCurve(t hsmpool.KeyType, a kmsv1.SigningAlgorithmSpec) map[kmsv1.KeyUsageType]kind {
	return map[kmsv1.KeyUsageType]kind{
		signVerify: signing(t, a),
		keyAgreement: {typ: t, use: hsmpool.Agree, agreement: []kmsv1.KeyAgreementAlgorithmSpec{
			kmsv1.KeyAgreementAlgorithmSpec_KEY_AGREEMENT_ALGORITHM_SPEC_ECDH,
		}},
	}
}

func signing(t hsmpool.KeyType, algorithms ...kmsv1.SigningAlgorithmSpec) kind {
	return kind{typ: t, use: hsmpool.Sign, signing: algorithms}
}

// kindFor returns the kind of a spec and a usage. Its errors are those of
// CreateKey, in AWS's words.
func kindFor(spec kmsv1.KeySpec, usage kmsv1.KeyUsageType) (kind, error) {
	usages := usagesOf(spec)
	if usages == nil {
		return kind{}, errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "KeySpec %s is not supported.", describe.WireName(spec))
	}
	k, ok := usages[usage]
	if !ok {
		return kind{}, errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
			"KeyUsage %s is not compatible with KeySpec %s", describe.WireName(usage), describe.WireName(spec))
	}
	return k, nil
}

// onlyUsage returns the usage of a spec that has one alone, which a request need
// not name: symmetric encryption keys.
func onlyUsage(spec kmsv1.KeySpec) kmsv1.KeyUsageType {
	if spec == kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT {
		return encryptDecrypt
	}
	return kmsv1.KeyUsageType_KEY_USAGE_TYPE_UNSPECIFIED
}

// offers checks that a key has an algorithm.
func offers[A interface {
	comparable
	protoreflect.Enum
}](k *key, has []A, algorithm A) error {
	if slices.Contains(has, algorithm) {
		return nil
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_KEY_USAGE,
		"Algorithm %s is incompatible with key spec %s.", describe.WireName(algorithm), describe.WireName(k.record.GetKeySpec()))
}

// signatureAlgorithm is a signing algorithm of the API: what the HSM calls it,
// and the hash of the message; 0: the message itself is signed.
type signatureAlgorithm struct {
	hsm  hsmpool.Algorithm
	hash crypto.Hash
	// raw, digest: the message types that AWS takes with it.
	raw, digest bool
}

func signatureAlgorithmOf(a kmsv1.SigningAlgorithmSpec) signatureAlgorithm {
	hashed := func(alg hsmpool.Algorithm, h crypto.Hash) signatureAlgorithm {
		return signatureAlgorithm{alg, h, true, true}
	}
	switch a {
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_256:
		return hashed(hsmpool.PKCS1SHA256, crypto.SHA256)
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_384:
		return hashed(hsmpool.PKCS1SHA384, crypto.SHA384)
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_512:
		return hashed(hsmpool.PKCS1SHA512, crypto.SHA512)
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_256:
		return hashed(hsmpool.PSSSHA256, crypto.SHA256)
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_384:
		return hashed(hsmpool.PSSSHA384, crypto.SHA384)
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_512:
		return hashed(hsmpool.PSSSHA512, crypto.SHA512)
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256:
		return hashed(hsmpool.ECDSASHA256, crypto.SHA256)
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_384:
		return hashed(hsmpool.ECDSASHA384, crypto.SHA384)
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_512:
		return hashed(hsmpool.ECDSASHA512, crypto.SHA512)
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ED25519_SHA_512:
		return signatureAlgorithm{hsm: hsmpool.EdDSA, raw: true}
	case kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ED25519_PH_SHA_512:
		return signatureAlgorithm{hsm: hsmpool.EdDSAph, hash: crypto.SHA512, digest: true}
	}
	return signatureAlgorithm{}
}

// oaepOf is what the HSM calls an encryption algorithm of RSA keys, and its hash.
func oaepOf(a kmsv1.EncryptionAlgorithmSpec) (hsmpool.Algorithm, crypto.Hash) {
	if a == kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_1 {
		return hsmpool.OAEPSHA1, crypto.SHA1
	}
	return hsmpool.OAEPSHA256, crypto.SHA256
}

// macOf is what the HSM calls a MAC algorithm.
func macOf(a kmsv1.MacAlgorithmSpec) hsmpool.Algorithm {
	switch a {
	case kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_224:
		return hsmpool.HMACSHA224
	case kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_256:
		return hsmpool.HMACSHA256
	case kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_384:
		return hsmpool.HMACSHA384
	default:
		return hsmpool.HMACSHA512
	}
}
