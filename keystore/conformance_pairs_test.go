package keystore

import (
	"slices"
	"strings"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// The kinds of answers that only the rows with two faults have.
const (
	dryRun       = annotationsv1.ErrorKind_ERROR_KIND_DRY_RUN_OPERATION
	noClient     = annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT
	invalidGrant = annotationsv1.ErrorKind_ERROR_KIND_INVALID_GRANT_TOKEN
	badTag       = annotationsv1.ErrorKind_ERROR_KIND_TAG
)

// What is said of these faults.
const (
	saidDryRun     = "The request would have succeeded, but the DryRun option is set."
	saidNoClient   = "The credentials in the request are not those of a known principal."
	saidBadToken   = "The request has a grant token that is not valid."
	saidNoPolicy   = "No such policy exists"
	saidOtherUsage = "{arn} key usage is {usage} which is not valid for {op}."
	saidOtherKey   = "The key ID in the request does not identify a CMK that can perform this operation: the ciphertext was not made by {arn}."
)

// pairRows are of requests with two faults, and say which one is answered. AWS documents no
// order; what it says of key states and of grants decides some.
func (c *conformance) pairRows() []conformanceRow {
	return slices.Concat(c.admissionPairs(), c.statePairs(), c.ciphertextPairs(), c.managementPairs(), c.importPairs(), c.dryRunPairs())
}

// admissionPairs: who asks, then whether the request is well formed, then its grant tokens,
// then whether it is allowed, then whether there is such a key.
func (c *conformance) admissionPairs() []conformanceRow {
	key, mac, x := c.keys[encryptDecrypt], c.keys[generateVerifyMac], []byte("x")
	gone, long := new(goneID), make([]byte, 4097)
	unknown := answer{noClient, saidNoClient, common}
	tooLong := answer{invalid, "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096", inferred}
	badToken := answer{invalidGrant, saidBadToken, inferred}
	deniedHere := deniedOn("{arn}")
	recipient := &kmsv1.RecipientInfo{AttestationDocument: x}
	two := "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; " +
		"Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"
	return []conformanceRow{
		{name: "no caller, and not well formed", caller: "", request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: long}, want: unknown},
		{name: "no caller, and a grant token of nobody", caller: "", request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x, GrantTokens: []string{"t"}}, want: unknown},
		{name: "not well formed twice", caller: admin, request: &kmsv1.EncryptRequest{Plaintext: long}, want: answer{invalid, two, apiReference}},
		{name: "not well formed, and denied", caller: nobody, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: long}, want: tooLong},
		{name: "not well formed, and unknown key", caller: admin, request: &kmsv1.EncryptRequest{KeyId: gone, Plaintext: long}, want: tooLong},
		{name: "not well formed, and disabled", caller: admin, key: key, state: disabled, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: long}, want: tooLong},
		{name: "not well formed, and a dry run", caller: admin, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: long, DryRun: new(true)}, want: tooLong},
		{name: "a grant token of nobody, and denied", caller: nobody, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x, GrantTokens: []string{"t"}}, want: badToken},
		{name: "a grant token of nobody, and unknown key", caller: admin, request: &kmsv1.EncryptRequest{KeyId: gone, Plaintext: x, GrantTokens: []string{"t"}}, want: badToken},
		{name: "a grant token of nobody, and disabled", caller: admin, key: key, state: disabled, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x, GrantTokens: []string{"t"}}, want: badToken},
		{name: "a grant token of another key", caller: nobody, key: mac, request: &kmsv1.GenerateMacRequest{KeyId: mac.KeyId, Message: x, MacAlgorithm: hmacSHA256.Enum(), GrantTokens: []string{c.tokenFor(key)}}, want: deniedHere},
		{name: "denied, and the usage is wrong", caller: nobody, key: mac, request: &kmsv1.EncryptRequest{KeyId: mac.KeyId, Plaintext: x}, want: deniedHere},
		{name: "denied, and disabled", caller: nobody, key: key, state: disabled, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x}, want: deniedHere},
		{name: "denied, and no key id", caller: nobody, request: &kmsv1.EncryptRequest{KeyId: new("payroll"), Plaintext: x}, want: deniedOn("*")},
		{name: "denied, and unknown alias", caller: nobody, request: &kmsv1.EncryptRequest{KeyId: new("alias/gone"), Plaintext: x}, want: deniedOn("*")},
		{name: "denied, and another Region", caller: nobody, request: &kmsv1.DescribeKeyRequest{KeyId: new("arn:aws:kms:eu-west-1:000000000000:key/" + goneID)}, want: deniedOn("*")},
		{name: "a recipient, and denied", caller: nobody, request: &kmsv1.GenerateDataKeyPairRequest{KeyId: key.KeyId, KeyPairSpec: pairP256.Enum(), Recipient: recipient}, want: answer{unsupported, "Recipient is not supported.", inferred}},
		{name: "both lengths, and denied", caller: nobody, request: &kmsv1.GenerateDataKeyRequest{KeyId: key.KeyId, KeySpec: oneKey.Enum(), NumberOfBytes: new(int32(1))},
			want: answer{invalid, "Please specify either number of bytes or key spec.", inferred}},
		{name: "no length, and unknown key", caller: admin, request: &kmsv1.GenerateDataKeyRequest{KeyId: gone}, want: answer{invalid, "Please specify either number of bytes or key spec.", inferred}},
		{name: "past the limit, and a marker of nobody", caller: admin, request: &kmsv1.ListKeysRequest{Limit: new(int32(1001)), Marker: new("a")}, want: bounded("limit", 1001, 1, 1000)},
		{name: "past the limit, and denied", caller: nobody, request: &kmsv1.ListKeysRequest{Limit: new(int32(1001))}, want: bounded("limit", 1001, 1, 1000)},
		{name: "a marker of nobody, and unknown key", caller: admin, request: &kmsv1.ListGrantsRequest{KeyId: gone, Marker: new("a")}, want: answer{notFound, "Key 'arn:aws:kms:us-east-1:000000000000:key/" + goneID + "' does not exist", inferred}},
		{name: "a marker of nobody, and denied", caller: nobody, key: key, request: &kmsv1.ListGrantsRequest{KeyId: key.KeyId, Marker: new("a")}, want: deniedHere},
	}
}

// tokenFor is the token of a grant to nobody, who may not do anything else.
func (c *conformance) tokenFor(key *kmsv1.KeyMetadata) string {
	return c.grant(admin, granting(key, nobody, kmsv1.GrantOperation_GRANT_OPERATION_RETIRE_GRANT)).GetGrantToken()
}

// statePairs: the key's usage, then its state, then the algorithm, then what the algorithm
// takes.
func (c *conformance) statePairs() []conformanceRow {
	key, signer, mac, x := c.keys[encryptDecrypt], c.keys[signVerify], c.keys[generateVerifyMac], []byte("x")
	pss := kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_256
	oaep := kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_256
	digest := kmsv1.MessageType_MESSAGE_TYPE_DIGEST.Enum()
	usage := answer{wrongUsage, saidOtherUsage, inferred}
	off, doomed := answer{isDisabled, "{arn} is disabled.", inferred}, answer{wrongState, "{arn} is pending deletion.", inferred}
	algorithm := answer{wrongUsage, "Algorithm RSASSA_PSS_SHA_256 is incompatible with key spec ECC_NIST_P256.", inferred}
	return []conformanceRow{
		{name: "usage, and pending deletion", caller: admin, key: signer, state: pendingDeletion, request: &kmsv1.EncryptRequest{KeyId: signer.KeyId, Plaintext: x}, want: usage},
		{name: "usage, and algorithm", caller: admin, key: mac, request: &kmsv1.SignRequest{KeyId: mac.KeyId, Message: x, SigningAlgorithm: pss.Enum()}, want: usage},
		{name: "usage, and algorithm", caller: admin, key: signer, request: &kmsv1.EncryptRequest{KeyId: signer.KeyId, Plaintext: x, EncryptionAlgorithm: &oaep}, want: usage},
		{name: "usage, and a public key of nobody", caller: admin, key: signer, request: &kmsv1.DeriveSharedSecretRequest{KeyId: signer.KeyId, PublicKey: x, KeyAgreementAlgorithm: kmsv1.KeyAgreementAlgorithmSpec_KEY_AGREEMENT_ALGORITHM_SPEC_ECDH.Enum()}, want: usage},
		{name: "disabled, and algorithm", caller: admin, key: signer, state: disabled, request: &kmsv1.SignRequest{KeyId: signer.KeyId, Message: x, SigningAlgorithm: pss.Enum()}, want: off},
		{name: "pending deletion, and algorithm", caller: admin, key: key, state: pendingDeletion, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x, EncryptionAlgorithm: &oaep}, want: doomed},
		{name: "pending import, and algorithm", caller: admin, key: key, state: pendingImport, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x, EncryptionAlgorithm: &oaep}, want: answer{wrongState, "{arn} is pending import.", inferred}},
		{name: "algorithm, and a digest of another length", caller: admin, key: signer, request: &kmsv1.SignRequest{KeyId: signer.KeyId, Message: x, MessageType: digest, SigningAlgorithm: pss.Enum()}, want: algorithm},
		{name: "disabled, and a digest of another length", caller: admin, key: signer, state: disabled, request: &kmsv1.SignRequest{KeyId: signer.KeyId, Message: x, MessageType: digest, SigningAlgorithm: ecdsaSHA256.Enum()}, want: off},
		{name: "disabled, and no signature of the message", caller: admin, key: signer, state: disabled, request: &kmsv1.VerifyRequest{KeyId: signer.KeyId, Message: x, Signature: x, SigningAlgorithm: ecdsaSHA256.Enum()}, want: off},
		{name: "algorithm, and no signature of the message", caller: admin, key: signer, request: &kmsv1.VerifyRequest{KeyId: signer.KeyId, Message: x, Signature: x, SigningAlgorithm: pss.Enum()}, want: algorithm},
		{name: "pending deletion, and no MAC of the message", caller: admin, key: mac, state: pendingDeletion, request: &kmsv1.VerifyMacRequest{KeyId: mac.KeyId, Message: x, Mac: x, MacAlgorithm: hmacSHA256.Enum()}, want: doomed},
		{name: "no public key, and disabled", caller: admin, key: key, state: disabled, request: &kmsv1.GetPublicKeyRequest{KeyId: key.KeyId}, want: answer{unsupported, "{arn} is not an asymmetric key and has no public key.", inferred}},
		{name: "a pair that is not offered, and disabled", caller: admin, key: key, state: disabled, request: &kmsv1.GenerateDataKeyPairRequest{KeyId: key.KeyId, KeyPairSpec: kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_SM2.Enum()}, want: off},
	}
}

// ciphertextPairs: the keys, the source before the destination, then the ciphertext.
func (c *conformance) ciphertextPairs() []conformanceRow {
	key, other, signer, garbled := c.keys[encryptDecrypt], c.createKey(), c.keys[signVerify], []byte("x")
	inContext := map[string]string{"a": "1"}
	off, doomed := answer{isDisabled, "{arn} is disabled.", inferred}, answer{wrongState, "{arn} is pending deletion.", inferred}
	gone := answer{notFound, "Key 'arn:aws:kms:us-east-1:000000000000:key/" + goneID + "' does not exist", inferred}
	from := func(action string) answer {
		a := deniedOn("{arn}")
		a.message = strings.ReplaceAll(a.message, "{action}", action)
		return a
	}
	return []conformanceRow{
		{name: "disabled, and another encryption context", caller: admin, key: key, state: disabled, request: &kmsv1.DecryptRequest{CiphertextBlob: c.sealed, EncryptionContext: inContext}, want: off},
		{name: "pending deletion, and another encryption context", caller: admin, key: key, state: pendingDeletion, request: &kmsv1.DecryptRequest{CiphertextBlob: c.sealed, EncryptionContext: inContext}, want: doomed},
		{name: "disabled, and garbage", caller: admin, key: key, state: disabled, request: &kmsv1.DecryptRequest{CiphertextBlob: garbled, KeyId: key.KeyId}, want: off},
		{name: "unknown key, and garbage", caller: admin, request: &kmsv1.DecryptRequest{CiphertextBlob: garbled, KeyId: new(goneID)}, want: gone},
		{name: "denied, and garbage", caller: nobody, key: key, request: &kmsv1.DecryptRequest{CiphertextBlob: garbled, KeyId: key.KeyId}, want: deniedOn("{arn}")},
		{name: "denied, and garbage of no key", caller: nobody, request: &kmsv1.DecryptRequest{CiphertextBlob: garbled}, want: deniedOn("*")},
		{name: "another key, and another encryption context", caller: admin, key: other, request: &kmsv1.DecryptRequest{CiphertextBlob: c.sealed, KeyId: other.KeyId, EncryptionContext: inContext}, want: answer{otherKey, saidOtherKey, inferred}},
		{name: "another key, and disabled", caller: admin, key: other, state: disabled, request: &kmsv1.DecryptRequest{CiphertextBlob: c.sealed, KeyId: other.KeyId}, want: off},
		{name: "another key, and another usage", caller: admin, key: signer, request: &kmsv1.DecryptRequest{CiphertextBlob: c.sealed, KeyId: signer.KeyId}, want: answer{wrongUsage, saidOtherUsage, inferred}},
		{name: "the source denied, and the destination", caller: nobody, key: key, request: &kmsv1.ReEncryptRequest{CiphertextBlob: c.sealed, DestinationKeyId: other.KeyId}, want: from("kms:ReEncryptFrom")},
		{name: "the source denied, and the destination unknown", caller: nobody, key: key, request: &kmsv1.ReEncryptRequest{CiphertextBlob: c.sealed, DestinationKeyId: new(goneID)}, want: from("kms:ReEncryptFrom")},
		{name: "the source disabled, and the destination unknown", caller: admin, key: key, state: disabled, request: &kmsv1.ReEncryptRequest{CiphertextBlob: c.sealed, DestinationKeyId: new(goneID)}, want: gone},
		{name: "the source disabled, and the destination of another usage", caller: admin, key: key, state: disabled, request: &kmsv1.ReEncryptRequest{CiphertextBlob: c.sealed, DestinationKeyId: signer.KeyId}, want: off},
		{name: "the source of another key, and the destination of another usage", caller: admin, key: other, request: &kmsv1.ReEncryptRequest{CiphertextBlob: c.sealed, SourceKeyId: other.KeyId, DestinationKeyId: signer.KeyId}, want: answer{otherKey, saidOtherKey, inferred}},
		{name: "the destination disabled, and another encryption context", caller: admin, key: other, state: disabled, request: &kmsv1.ReEncryptRequest{CiphertextBlob: c.sealed, SourceEncryptionContext: inContext, DestinationKeyId: other.KeyId}, want: off},
	}
}

// dryRunPairs: a dry run finds what is wrong with who asks for what, and with the key, but not
// with what only the HSM could tell.
func (c *conformance) dryRunPairs() []conformanceRow {
	key, signer, mac, x, dry := c.keys[encryptDecrypt], c.keys[signVerify], c.keys[generateVerifyMac], []byte("x"), new(true)
	done, off := answer{dryRun, saidDryRun, inferred}, answer{isDisabled, "{arn} is disabled.", inferred}
	token := c.tokenFor(key)
	return []conformanceRow{
		{name: "a dry run, and denied", caller: nobody, key: mac, request: &kmsv1.GenerateMacRequest{KeyId: mac.KeyId, Message: x, MacAlgorithm: hmacSHA256.Enum(), DryRun: dry}, want: deniedOn("{arn}")},
		{name: "a dry run, and disabled", caller: admin, key: key, state: disabled, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: x, DryRun: dry}, want: off},
		{name: "a dry run, and pending deletion", caller: admin, key: key, state: pendingDeletion, request: &kmsv1.GenerateDataKeyRequest{KeyId: key.KeyId, KeySpec: oneKey.Enum(), DryRun: dry}, want: answer{wrongState, "{arn} is pending deletion.", inferred}},
		{name: "a dry run, and another usage", caller: admin, key: signer, request: &kmsv1.GenerateDataKeyWithoutPlaintextRequest{KeyId: signer.KeyId, KeySpec: oneKey.Enum(), DryRun: dry}, want: answer{wrongUsage, saidOtherUsage, inferred}},
		{name: "a dry run, and another algorithm", caller: admin, key: mac, request: &kmsv1.GenerateMacRequest{KeyId: mac.KeyId, Message: x, MacAlgorithm: kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_512.Enum(), DryRun: dry},
			want: answer{wrongUsage, "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.", inferred}},
		{name: "a dry run, and unknown key", caller: admin, request: &kmsv1.GenerateDataKeyPairRequest{KeyId: new(goneID), KeyPairSpec: pairP256.Enum(), DryRun: dry}, want: answer{notFound, "Key 'arn:aws:kms:us-east-1:000000000000:key/" + goneID + "' does not exist", inferred}},
		{name: "a dry run, and no signature of the message", caller: admin, request: &kmsv1.VerifyRequest{KeyId: signer.KeyId, Message: x, Signature: x, SigningAlgorithm: ecdsaSHA256.Enum(), DryRun: dry}, want: done},
		{name: "a dry run, and no MAC of the message", caller: admin, request: &kmsv1.VerifyMacRequest{KeyId: mac.KeyId, Message: x, Mac: x, MacAlgorithm: hmacSHA256.Enum(), DryRun: dry}, want: done},
		{name: "a dry run, and another encryption context", caller: admin, request: &kmsv1.DecryptRequest{CiphertextBlob: c.sealed, EncryptionContext: map[string]string{"a": "1"}, DryRun: dry}, want: done},
		{name: "a dry run, and garbage", caller: admin, request: &kmsv1.ReEncryptRequest{CiphertextBlob: x, SourceKeyId: key.KeyId, DestinationKeyId: key.KeyId, DryRun: dry}, want: garbage('x')},
		{name: "a dry run", caller: admin, request: &kmsv1.SignRequest{KeyId: signer.KeyId, Message: x, SigningAlgorithm: ecdsaSHA256.Enum(), DryRun: dry}, want: done},
		{name: "a dry run", caller: admin, request: &kmsv1.GenerateDataKeyPairWithoutPlaintextRequest{KeyId: key.KeyId, KeyPairSpec: pairP256.Enum(), DryRun: dry}, want: done},
		{name: "a dry run, and disabled", caller: admin, key: key, state: disabled, request: &kmsv1.CreateGrantRequest{KeyId: key.KeyId, GranteePrincipal: new(app), Operations: []kmsv1.GrantOperation{mayEncrypt}, DryRun: dry}, want: off},
		{name: "a dry run", caller: retirer, request: &kmsv1.RetireGrantRequest{GrantToken: &token, DryRun: dry}, want: done},
		{name: "a dry run, and no such grant", caller: admin, request: &kmsv1.RevokeGrantRequest{KeyId: key.KeyId, GrantId: new("x"), DryRun: dry}, want: answer{invalidGrantID, "Invalid grant ID x", inferred}},
	}
}
