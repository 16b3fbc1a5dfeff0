package client

import (
	"crypto"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// The names that the API has for what package crypto tells by hash.
var (
	pkcs1 = map[crypto.Hash]kmsv1.SigningAlgorithmSpec{
		crypto.SHA256: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_256,
		crypto.SHA384: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_384,
		crypto.SHA512: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_512,
	}
	pss = map[crypto.Hash]kmsv1.SigningAlgorithmSpec{
		crypto.SHA256: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_256,
		crypto.SHA384: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_384,
		crypto.SHA512: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_512,
	}
	ecdsas = map[crypto.Hash]kmsv1.SigningAlgorithmSpec{
		crypto.SHA256: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256,
		crypto.SHA384: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_384,
		crypto.SHA512: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_512,
	}
	edwards = map[crypto.Hash]kmsv1.SigningAlgorithmSpec{
		0:             kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ED25519_SHA_512, // of the message
		crypto.SHA512: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ED25519_PH_SHA_512,
	}
	oaep = map[crypto.Hash]kmsv1.EncryptionAlgorithmSpec{
		crypto.SHA1:   kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_1,
		crypto.SHA256: kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_256,
	}
)
