package keystore

import (
	"slices"

	"google.golang.org/protobuf/proto"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// keyedOperations are the operations that name a key by KeyId.
func keyedOperations() []keyed { return slices.Concat(usingOperations(), managingOperations()) }

// of are operations of a sort.
func (k keyed) of(requests ...proto.Message) (all []keyed) {
	for _, r := range requests {
		k.request = r
		all = append(all, k)
	}
	return all
}

// usingOperations use keys.
func usingOperations() []keyed {
	x := []byte("x")
	ecdh := kmsv1.KeyAgreementAlgorithmSpec_KEY_AGREEMENT_ALGORITHM_SPEC_ECDH
	using := keyed{
		field: "key_id", spec: aKeySpec, usage: encryptDecrypt, wrongUsage: true,
		disabled: whenDisabled(), pending: whenPending(), in: refusedIn(creating, pendingReplicaDeletion, pendingImport, unavailable),
	}
	signing, macing, agreeing, public := using, using, using, using
	signing.spec, signing.usage = curveSpec, signVerify
	macing.spec, macing.usage = secretSpec, generateVerifyMac
	agreeing.spec, agreeing.usage = curveSpec, keyAgreement
	public.spec, public.usage, public.wrongUsage = curveSpec, signVerify, false
	verifying, comparing, deriving := signing, macing, agreeing
	verifying.enabled, comparing.enabled, deriving.enabled = usually("Verify"), usually("VerifyMac"), usually("DeriveSharedSecret")
	return slices.Concat(
		using.of(
			&kmsv1.EncryptRequest{Plaintext: x},
			&kmsv1.GenerateDataKeyRequest{KeySpec: oneKey.Enum()},
			&kmsv1.GenerateDataKeyWithoutPlaintextRequest{KeySpec: oneKey.Enum()},
			&kmsv1.GenerateDataKeyPairRequest{KeyPairSpec: pairP256.Enum()},
			&kmsv1.GenerateDataKeyPairWithoutPlaintextRequest{KeyPairSpec: pairP256.Enum()}),
		signing.of(&kmsv1.SignRequest{Message: x, SigningAlgorithm: ecdsaSHA256.Enum()}),
		macing.of(&kmsv1.GenerateMacRequest{Message: x, MacAlgorithm: hmacSHA256.Enum()}),
		public.of(&kmsv1.GetPublicKeyRequest{}),
		verifying.of(&kmsv1.VerifyRequest{Message: x, SigningAlgorithm: ecdsaSHA256.Enum(), Signature: x}),
		comparing.of(&kmsv1.VerifyMacRequest{Message: x, MacAlgorithm: hmacSHA256.Enum(), Mac: x}),
		deriving.of(&kmsv1.DeriveSharedSecretRequest{PublicKey: x, KeyAgreementAlgorithm: ecdh.Enum()}))
}

// managingOperations look at keys, or change them.
func managingOperations() []keyed {
	reading := keyed{field: "key_id", spec: aKeySpec, usage: encryptDecrypt}
	changing, describing, granting, switching, rotating, cancelling, revoking := reading, reading, reading, reading, reading, reading, reading
	changing.pending, describing.pending = whenPending(), whenPending()
	changing.in, describing.in = refusedIn(creating, pendingReplicaDeletion, pendingImport, updating), refusedIn(pendingReplicaDeletion)
	scheduling := changing
	scheduling.in = refusedIn(pendingReplicaDeletion, updating)
	granting.disabled, granting.pending, granting.in = whenDisabled(), whenPending(), refusedIn(creating, pendingReplicaDeletion, pendingImport)
	switching.disabled, switching.pending, switching.in = whenDisabled(), whenPending(), refusedIn(creating, pendingReplicaDeletion)
	rotating.disabled, rotating.pending, rotating.in = whenDisabled(), whenPending(), refusedIn(creating, pendingReplicaDeletion, pendingImport, unavailable)
	cancelling.enabled, cancelling.pending = answer{wrongState, "{arn} is not pending deletion.", keyStates}, answer{kind: ok, source: keyStates}
	cancelling.in = map[kmsv1.KeyState]answer{pendingReplicaDeletion: cancelling.pending}
	revoking.enabled = answer{invalidGrantID, "Invalid grant ID x", apiReference}
	return slices.Concat(
		reading.of(&kmsv1.DescribeKeyRequest{}, &kmsv1.GetKeyPolicyRequest{}, &kmsv1.ListKeyPoliciesRequest{}, &kmsv1.ListResourceTagsRequest{},
			&kmsv1.ListGrantsRequest{}, &kmsv1.ListKeyRotationsRequest{}, &kmsv1.GetKeyLastUsageRequest{}, &kmsv1.GetKeyRotationStatusRequest{},
			&kmsv1.PutKeyPolicyRequest{Policy: new(policyOf(admin))}),
		changing.of(&kmsv1.EnableKeyRequest{}, &kmsv1.DisableKeyRequest{}),
		scheduling.of(&kmsv1.ScheduleKeyDeletionRequest{}),
		describing.of(&kmsv1.UpdateKeyDescriptionRequest{Description: new("d")}, &kmsv1.TagResourceRequest{Tags: tagsOf("a", "1")}, &kmsv1.UntagResourceRequest{TagKeys: []string{"a"}}),
		granting.of(&kmsv1.CreateGrantRequest{GranteePrincipal: new(app), Operations: []kmsv1.GrantOperation{mayEncrypt}}),
		switching.of(&kmsv1.EnableKeyRotationRequest{}, &kmsv1.DisableKeyRotationRequest{}),
		rotating.of(&kmsv1.RotateKeyOnDemandRequest{}),
		revoking.of(&kmsv1.RevokeGrantRequest{GrantId: new("x")}),
		cancelling.of(&kmsv1.CancelKeyDeletionRequest{}))
}
