package keystore

import (
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// managementPairs are pairs of faults of the operations that change keys.
func (c *conformance) managementPairs() []conformanceRow {
	key, signer := c.keys[encryptDecrypt], c.keys[signVerify]
	unknown := answer{notFound, "Key 'arn:aws:kms:us-east-1:000000000000:key/" + goneID + "' does not exist", inferred}
	off, doomed := answer{isDisabled, "{arn} is disabled.", inferred}, answer{wrongState, "{arn} is pending deletion.", inferred}
	reserved := answer{badTag, "Tags beginning with aws: are reserved", inferred}
	grantTo := func(grantee string, o kmsv1.GrantOperation) *kmsv1.CreateGrantRequest {
		return &kmsv1.CreateGrantRequest{KeyId: key.KeyId, GranteePrincipal: &grantee, Operations: []kmsv1.GrantOperation{o}}
	}
	maySign := kmsv1.GrantOperation_GRANT_OPERATION_SIGN
	noPrincipal := answer{invalidArn, "ARN does not refer to a valid principal: payroll", inferred}
	noRotation := answer{unsupported, "{arn} key spec is ECC_NIST_P256 which is not valid for this operation.", inferred}
	malformedText := answer{malformed, "line 1, column 1: not JSON: invalid character 'x' looking for beginning of value", inferred}
	there := answer{exists, "An alias with the name arn:aws:kms:us-east-1:000000000000:alias/here already exists", inferred}
	return []conformanceRow{
		{name: "too short a window, and unknown key", caller: admin, request: &kmsv1.ScheduleKeyDeletionRequest{KeyId: new(goneID), PendingWindowInDays: new(int32(6))}, want: unknown},
		{name: "too short a window, and pending deletion", caller: admin, key: key, state: pendingDeletion, request: &kmsv1.ScheduleKeyDeletionRequest{KeyId: key.KeyId, PendingWindowInDays: new(int32(6))}, want: bounded("pendingWindowInDays", 6, 7, 30)},
		{name: "a reserved tag, and pending deletion", caller: admin, key: key, state: pendingDeletion, request: &kmsv1.TagResourceRequest{KeyId: key.KeyId, Tags: tagsOf("aws:a", "1")}, want: reserved},
		{name: "a reserved tag, and unknown key", caller: admin, request: &kmsv1.TagResourceRequest{KeyId: new(goneID), Tags: tagsOf("aws:a", "1")}, want: unknown},
		{name: "a reserved tag, and denied", caller: nobody, key: key, request: &kmsv1.UntagResourceRequest{KeyId: key.KeyId, TagKeys: []string{"aws:a"}}, want: deniedOn("{arn}")},
		{name: "no principal, and disabled", caller: admin, key: key, state: disabled, request: grantTo("payroll", mayEncrypt), want: off},
		{name: "no principal, and an operation of another usage", caller: admin, key: key, request: grantTo("payroll", maySign), want: noPrincipal},
		{name: "an operation of another usage, and pending deletion", caller: admin, key: key, state: pendingDeletion, request: grantTo(app, maySign), want: doomed},
		{name: "asymmetric, and disabled", caller: admin, key: signer, state: disabled, request: &kmsv1.EnableKeyRotationRequest{KeyId: signer.KeyId}, want: noRotation},
		{name: "asymmetric, and pending deletion", caller: admin, key: signer, state: pendingDeletion, request: &kmsv1.RotateKeyOnDemandRequest{KeyId: signer.KeyId}, want: noRotation},
		{name: "no policy of that name, and malformed", caller: admin, request: &kmsv1.PutKeyPolicyRequest{KeyId: key.KeyId, PolicyName: new("other"), Policy: new("x")}, want: answer{notFound, saidNoPolicy, inferred}},
		{name: "malformed, and pending deletion", caller: admin, key: key, state: pendingDeletion, request: &kmsv1.PutKeyPolicyRequest{KeyId: key.KeyId, Policy: new("x")}, want: malformedText},
		{name: "malformed, and denied", caller: nobody, key: key, request: &kmsv1.PutKeyPolicyRequest{KeyId: key.KeyId, Policy: new("x")}, want: deniedOn("{arn}")},
		{name: "the alias is there, and pending deletion", caller: admin, key: key, state: pendingDeletion, request: &kmsv1.CreateAliasRequest{AliasName: new("alias/here"), TargetKeyId: key.KeyId}, want: there},
		{name: "the alias is there, and unknown key", caller: admin, request: &kmsv1.CreateAliasRequest{AliasName: new("alias/here"), TargetKeyId: new(goneID)}, want: there},
		{name: "no such alias, and unknown key", caller: admin, request: &kmsv1.UpdateAliasRequest{AliasName: new("alias/gone"), TargetKeyId: new(goneID)},
			want: answer{notFound, "Alias arn:aws:kms:us-east-1:000000000000:alias/gone is not found.", inferred}},
		{name: "no grant id, and pending deletion", caller: admin, key: key, state: pendingDeletion, request: &kmsv1.RevokeGrantRequest{KeyId: key.KeyId, GrantId: new("x")}, want: answer{invalidGrantID, "Invalid grant ID x", keyStates}},
		{name: "no grant id, and denied", caller: nobody, key: key, request: &kmsv1.RevokeGrantRequest{KeyId: key.KeyId, GrantId: new("x")}, want: deniedOn("{arn}")},
		{name: "not pending deletion, and denied", caller: nobody, key: key, request: &kmsv1.CancelKeyDeletionRequest{KeyId: key.KeyId}, want: deniedOn("{arn}")},
	}
}

// importPairs are pairs of faults around imported key material.
func (c *conformance) importPairs() []conformanceRow {
	key, awaiting, x := c.keys[encryptDecrypt], c.awaiting, []byte("x")
	none := answer{unsupported, "{arn} origin is AWS_KMS which is not valid for this operation.", keyStates}
	expires := kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_EXPIRES.Enum()
	badToken := answer{invalidToken, "The import token is not the one that GetParametersForImport answered last for {arn}.", inferred}
	return []conformanceRow{
		{name: "not imported, and disabled", caller: admin, key: key, state: disabled, request: &kmsv1.ImportKeyMaterialRequest{KeyId: key.KeyId, ImportToken: x, EncryptedKeyMaterial: x}, want: none},
		{name: "not imported, and pending deletion", caller: admin, key: key, state: pendingDeletion, request: &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: key.KeyId}, want: none},
		{name: "not imported, and a wrapping that is not offered", caller: admin, key: key, want: none, request: &kmsv1.GetParametersForImportRequest{
			KeyId: key.KeyId, WrappingAlgorithm: kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_PKCS1_V1_5.Enum(), WrappingKeySpec: kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_2048.Enum(),
		}},
		{name: "a token of nobody, and no date", caller: admin, key: awaiting, request: &kmsv1.ImportKeyMaterialRequest{KeyId: awaiting.KeyId, ImportToken: x, EncryptedKeyMaterial: x, ExpirationModel: expires}, want: badToken},
		{name: "a token of nobody, and denied", caller: nobody, key: awaiting, request: &kmsv1.ImportKeyMaterialRequest{KeyId: awaiting.KeyId, ImportToken: x, EncryptedKeyMaterial: x}, want: deniedOn("{arn}")},
		{name: "pending deletion, and a token of nobody", caller: admin, key: awaiting, state: pendingDeletion, request: &kmsv1.ImportKeyMaterialRequest{KeyId: awaiting.KeyId, ImportToken: x, EncryptedKeyMaterial: x}, want: whenPending()},
		{name: "pending deletion, and a wrapping that is not offered", caller: admin, key: awaiting, state: pendingDeletion, want: whenPending(), request: &kmsv1.GetParametersForImportRequest{
			KeyId: awaiting.KeyId, WrappingAlgorithm: kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_PKCS1_V1_5.Enum(), WrappingKeySpec: kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_2048.Enum(),
		}},
		{name: "no material, and of another usage", caller: admin, key: awaiting, request: &kmsv1.SignRequest{KeyId: awaiting.KeyId, Message: x, SigningAlgorithm: ecdsaSHA256.Enum()}, want: answer{wrongUsage, saidOtherUsage, inferred}},
		{name: "no material", caller: admin, key: awaiting, request: &kmsv1.EncryptRequest{KeyId: awaiting.KeyId, Plaintext: x}, want: answer{wrongState, "{arn} is pending import.", keyStates}},
		{name: "no material", caller: admin, key: awaiting, request: &kmsv1.EnableKeyRequest{KeyId: awaiting.KeyId}, want: answer{wrongState, "{arn} is pending import.", keyStates}},
		{name: "no material", caller: admin, key: awaiting, request: &kmsv1.DisableKeyRequest{KeyId: awaiting.KeyId}, want: answer{wrongState, "{arn} is pending import.", keyStates}},
		{name: "no material", caller: admin, key: awaiting, request: &kmsv1.RotateKeyOnDemandRequest{KeyId: awaiting.KeyId}, want: answer{wrongState, "{arn} is pending import.", keyStates}},
		{name: "no material", caller: admin, key: awaiting, request: &kmsv1.GetKeyRotationStatusRequest{KeyId: awaiting.KeyId}, want: answer{unsupported, "{arn} origin is EXTERNAL which is not valid for this operation.", keyStates}},
		{name: "no material", caller: admin, key: awaiting, request: &kmsv1.EnableKeyRotationRequest{KeyId: awaiting.KeyId}, want: answer{unsupported, "{arn} origin is EXTERNAL which is not valid for this operation.", keyStates}},
		{name: "no material", caller: admin, key: awaiting, request: &kmsv1.CreateGrantRequest{KeyId: awaiting.KeyId, GranteePrincipal: new(app), Operations: []kmsv1.GrantOperation{mayEncrypt}}, want: answer{wrongState, "{arn} is pending import.", keyStates}},
		{name: "no material", caller: admin, key: awaiting, request: &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: awaiting.KeyId}, want: answer{source: keyStates}},
		{name: "no material", caller: admin, key: awaiting, request: &kmsv1.UpdateKeyDescriptionRequest{KeyId: awaiting.KeyId, Description: new("d")}, want: answer{source: keyStates}},
		{name: "no material", caller: admin, key: awaiting, request: &kmsv1.TagResourceRequest{KeyId: awaiting.KeyId, Tags: tagsOf("a", "1")}, want: answer{source: keyStates}},
	}
}
