package keystore

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// kindRows try the operations that need a key of some kind with keys of all the others.
func (c *conformance) kindRows() (rows []conformanceRow) {
	for _, key := range c.kinds() {
		for _, req := range c.wellFormed() {
			want, matters := needed(operationOf(req), key)
			if !matters {
				continue
			}
			req = proto.Clone(req) // which else shares the ids of keys
			f := req.ProtoReflect().Descriptor().Fields().ByName("key_id")
			if f == nil {
				f = req.ProtoReflect().Descriptor().Fields().ByName("destination_key_id")
			}
			req.ProtoReflect().Set(f, protoreflect.ValueOfString(key.GetKeyId()))
			name := describe.WireName(key.GetKeySpec()) + " to " + describe.WireName(key.GetKeyUsage()) + ", " + describe.WireName(key.GetOrigin())
			rows = append(rows, conformanceRow{name: name, caller: admin, request: c.withCiphertext(req), key: key, want: want})
		}
	}
	return rows
}

// kinds are keys of every kind that operations tell apart.
func (c *conformance) kinds() []*kmsv1.KeyMetadata {
	imported := c.awaitingKey(aKeySpec, encryptDecrypt)
	c.importInto(imported.KeyId, wrapSHA1, make([]byte, 32))
	return []*kmsv1.KeyMetadata{
		c.keys[encryptDecrypt], c.keys[signVerify], c.keys[keyAgreement], c.keys[generateVerifyMac], imported,
		c.rsa, c.keyOf(kmsv1.KeySpec_KEY_SPEC_RSA_2048, signVerify),
		c.keyOf(kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P384, signVerify), c.keyOf(kmsv1.KeySpec_KEY_SPEC_ECC_NIST_EDWARDS25519, signVerify),
		c.keyOf(kmsv1.KeySpec_KEY_SPEC_HMAC_512, generateVerifyMac),
	}
}

// needed is the answer of an operation to a key that is not of the kind it needs; false if it
// is, or does not matter.
func needed(operation string, key *kmsv1.KeyMetadata) (answer, bool) {
	spec := describe.WireName(key.GetKeySpec())
	symmetric, isImported := key.GetKeySpec() == aKeySpec, key.GetOrigin() == external
	switch operation {
	case "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext":
		return unfit(key, encryptDecrypt, symmetric, "SYMMETRIC_DEFAULT")
	case "Sign", "Verify":
		return unfit(key, signVerify, key.GetKeySpec() == curveSpec, "ECDSA_SHA_256")
	case "GenerateMac", "VerifyMac":
		return unfit(key, generateVerifyMac, key.GetKeySpec() == secretSpec, "HMAC_SHA_256")
	case "DeriveSharedSecret":
		return unfit(key, keyAgreement, true, "")
	case "GetPublicKey":
		return answer{unsupported, "{arn} is not an asymmetric key and has no public key.", inferred}, symmetric || key.GetKeyUsage() == generateVerifyMac
	case "EnableKeyRotation", "DisableKeyRotation":
		if isImported {
			return answer{unsupported, "{arn} origin is EXTERNAL which is not valid for this operation.", keyStates}, true
		}
		return answer{unsupported, "{arn} key spec is " + spec + " which is not valid for this operation.", inferred}, !symmetric
	case "RotateKeyOnDemand", "ListKeyRotations":
		return answer{unsupported, "{arn} key spec is " + spec + " which is not valid for this operation.", inferred}, !symmetric
	case "GetKeyRotationStatus":
		return answer{unsupported, "{arn} origin is EXTERNAL which is not valid for this operation.", keyStates}, isImported
	case "GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial":
		return answer{unsupported, "{arn} origin is AWS_KMS which is not valid for this operation.", keyStates}, !isImported
	}
	return answer{}, false
}

// unfit is the answer to a key of another usage, or of another spec than an algorithm needs.
func unfit(key *kmsv1.KeyMetadata, usage kmsv1.KeyUsageType, fits bool, algorithm string) (answer, bool) {
	if key.GetKeyUsage() != usage {
		return answer{wrongUsage, "{arn} key usage is {usage} which is not valid for {op}.", apiReference}, true
	}
	return answer{wrongUsage, "Algorithm " + algorithm + " is incompatible with key spec " + describe.WireName(key.GetKeySpec()) + ".", apiReference}, !fits
}
