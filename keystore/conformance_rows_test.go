package keystore

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// The key specs of the table's keys.
const (
	aKeySpec   = kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT
	curveSpec  = kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256
	secretSpec = kmsv1.KeySpec_KEY_SPEC_HMAC_256

	ecdsaSHA256 = kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256
	hmacSHA256  = kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_256
	pairP256    = kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_NIST_P256
	oneKey      = kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256
)

// accountRows are of operations that have other answers than those of a key's
// generated rows.
func (c *conformance) accountRows() []conformanceRow {
	key := c.keys[encryptDecrypt]
	sealed, err := c.Encrypt(c.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
	c.must(err)
	onKeyID := func(a answer) answer {
		a.message = strings.ReplaceAll(a.message, "{arn}", key.GetArn())
		return a
	}
	rows := []conformanceRow{
		{name: "denied", caller: nobody, request: &kmsv1.CreateKeyRequest{}, want: deniedOn("*")},
		{name: "allowed", caller: admin, request: &kmsv1.CreateKeyRequest{}},
		{name: "denied", caller: nobody, request: &kmsv1.ListKeysRequest{}, want: deniedOn("*")},
		{name: "allowed", caller: app, request: &kmsv1.ListKeysRequest{}},
		{name: "denied", caller: nobody, request: &kmsv1.ListAliasesRequest{}, want: deniedOn("*")},
		{name: "allowed", caller: app, request: &kmsv1.ListAliasesRequest{}},
		{name: "denied", caller: nobody, request: &kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(1))}, want: deniedOn("*")},
		{name: "denied", caller: nobody, request: &kmsv1.ListRetirableGrantsRequest{RetiringPrincipal: new(app)}, want: deniedOn("*")},
		{name: "allowed", caller: admin, request: &kmsv1.ListRetirableGrantsRequest{RetiringPrincipal: new(app)}},
		{name: "denied", caller: nobody, request: &kmsv1.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob}, want: onKeyID(deniedOn("{arn}"))},
		{name: "allowed", caller: app, request: &kmsv1.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob}},
	}
	return append(rows, c.namedRows(key)...)
}

// namedRows are of aliases and grants that are not there, and of what admin alone
// may do.
func (c *conformance) namedRows(key *kmsv1.KeyMetadata) []conformanceRow {
	alias := "arn:aws:kms:us-east-1:000000000000:alias/gone"
	noAlias := answer{notFound, "Alias " + alias + " is not found.", apiReference}
	badGrant := answer{annotationsv1.ErrorKind_ERROR_KIND_INVALID_GRANT_ID, "Invalid grant ID x", apiReference}
	signer := c.keys[signVerify]
	return []conformanceRow{
		{name: "allowed", caller: admin, request: &kmsv1.CreateAliasRequest{AliasName: new("alias/there"), TargetKeyId: key.KeyId}},
		{name: "twice", caller: admin, request: &kmsv1.CreateAliasRequest{AliasName: new("alias/there"), TargetKeyId: key.KeyId},
			want: answer{exists, "An alias with the name arn:aws:kms:us-east-1:000000000000:alias/there already exists", apiReference}},
		{name: "unknown alias", caller: admin, request: &kmsv1.UpdateAliasRequest{AliasName: new("alias/gone"), TargetKeyId: key.KeyId}, want: noAlias},
		{name: "unknown alias", caller: admin, request: &kmsv1.DeleteAliasRequest{AliasName: new("alias/gone")}, want: noAlias},
		{name: "allowed", caller: admin, request: &kmsv1.DeleteAliasRequest{AliasName: new("alias/there")}},
		{name: "no grant id", caller: admin, request: &kmsv1.RetireGrantRequest{KeyId: key.Arn, GrantId: new("x")}, want: badGrant},
		{name: "wrong usage, and garbage", caller: app, request: &kmsv1.ReEncryptRequest{CiphertextBlob: []byte("x"), SourceKeyId: signer.KeyId, DestinationKeyId: key.KeyId},
			want: answer{annotationsv1.ErrorKind_ERROR_KIND_INVALID_KEY_USAGE, signer.GetArn() + " key usage is SIGN_VERIFY which is not valid for ReEncrypt.", apiReference}},
		{name: "denied", caller: app, request: &kmsv1.RotateKeyOnDemandRequest{KeyId: key.KeyId}, want: answer{denied,
			"User: " + app + " is not authorized to perform: kms:RotateKeyOnDemand on resource: " + key.GetArn() + " because no identity-based policy allows the kms:RotateKeyOnDemand action", permissions}},
		{name: "denied", caller: app, request: &kmsv1.PutKeyPolicyRequest{KeyId: key.KeyId, Policy: new("{}")}, want: answer{denied,
			"User: " + app + " is not authorized to perform: kms:PutKeyPolicy on resource: " + key.GetArn() + " because no identity-based policy allows the kms:PutKeyPolicy action", permissions}},
	}
}

// limitRows are of numbers at the edges of what is allowed, and past them.
func (c *conformance) limitRows() []conformanceRow {
	key := c.keys[encryptDecrypt].KeyId
	var rows []conformanceRow
	for _, l := range []struct {
		request     proto.Message
		field       protoreflect.Name
		least, most int32
	}{
		{&kmsv1.GenerateRandomRequest{}, "number_of_bytes", 1, 1024},
		{&kmsv1.GenerateDataKeyRequest{KeyId: key}, "number_of_bytes", 1, 1024},
		{&kmsv1.GenerateDataKeyWithoutPlaintextRequest{KeyId: key}, "number_of_bytes", 1, 1024},
		{&kmsv1.EnableKeyRotationRequest{KeyId: key}, "rotation_period_in_days", 90, 2560},
		{&kmsv1.ListKeysRequest{}, "limit", 1, 1000},
		{&kmsv1.ListAliasesRequest{}, "limit", 1, 100},
		{&kmsv1.ListGrantsRequest{KeyId: key}, "limit", 1, 100},
		{&kmsv1.ListRetirableGrantsRequest{RetiringPrincipal: new(app)}, "limit", 1, 100},
		{&kmsv1.ListResourceTagsRequest{KeyId: key}, "limit", 1, 50},
		{&kmsv1.ListKeyPoliciesRequest{KeyId: key}, "limit", 1, 1000},
		{&kmsv1.ListKeyRotationsRequest{KeyId: key}, "limit", 1, 1000},
	} {
		for _, n := range []int32{l.least - 1, l.least, l.most, l.most + 1} {
			req := proto.Clone(l.request)
			f := req.ProtoReflect().Descriptor().Fields().ByName(l.field)
			req.ProtoReflect().Set(f, protoreflect.ValueOfInt32(n))
			rows = append(rows, conformanceRow{name: fmt.Sprintf("%s %d", l.field, n), caller: admin, request: req, want: bounded(f.JSONName(), n, l.least, l.most)})
		}
	}
	return rows
}

// bounded is the answer to a number for a member with bounds.
func bounded(member string, n, least, most int32) answer {
	const words = "1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value %s than or equal to %d"
	switch {
	case n < least:
		return answer{invalid, fmt.Sprintf(words, n, member, "greater", least), apiReference}
	case n > most:
		return answer{invalid, fmt.Sprintf(words, n, member, "less", most), apiReference}
	}
	return answer{}
}

// refusedRows are of the operations that import key material, and of those that the
// service does not offer (refuse.go), which it refuses to everybody.
func refusedRows() []conformanceRow {
	id, store := new(goneID), new("cks-1234567890abcdef0")
	ofKey := deniedOn("arn:aws:kms:us-east-1:000000000000:key/" + goneID)
	none := deniedOn("*")
	refused := answer{annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "{op} is not supported.", inferred}
	noStore := answer{annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NOT_FOUND, "Custom key store " + *store + " does not exist.", apiReference}
	replicate := &kmsv1.ReplicateKeyRequest{KeyId: id, ReplicaRegion: new("eu-west-1")}
	primary := &kmsv1.UpdatePrimaryRegionRequest{KeyId: id, PrimaryRegion: new("eu-west-1")}
	create, describe := &kmsv1.CreateCustomKeyStoreRequest{CustomKeyStoreName: new("store")}, &kmsv1.DescribeCustomKeyStoresRequest{}
	return []conformanceRow{
		{name: "denied", caller: nobody, want: ofKey, request: &kmsv1.GetParametersForImportRequest{KeyId: id,
			WrappingAlgorithm: kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_256.Enum(), WrappingKeySpec: kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_2048.Enum()}},
		{name: "denied", caller: nobody, want: ofKey, request: &kmsv1.ImportKeyMaterialRequest{KeyId: id, ImportToken: []byte("x"), EncryptedKeyMaterial: []byte("x")}},
		{name: "denied", caller: nobody, want: ofKey, request: &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: id}},
		{name: "denied", caller: nobody, want: none, request: replicate},
		{name: "refused", caller: admin, want: refused, request: replicate},
		{name: "denied", caller: nobody, want: none, request: primary},
		{name: "refused", caller: admin, want: refused, request: primary},
		{name: "denied", caller: nobody, want: none, request: create},
		{name: "no cluster", caller: admin, want: answer{invalid, "CloudHsmClusterId is required for a custom key store of type AWS_CLOUDHSM.", inferred}, request: create},
		{name: "denied", caller: nobody, want: none, request: describe},
		{name: "unknown store", caller: admin, want: noStore, request: &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: store}},
		{name: "unknown store", caller: admin, want: noStore, request: &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: store}},
		{name: "unknown store", caller: admin, want: noStore, request: &kmsv1.DisconnectCustomKeyStoreRequest{CustomKeyStoreId: store}},
		{name: "unknown store", caller: admin, want: noStore, request: &kmsv1.DeleteCustomKeyStoreRequest{CustomKeyStoreId: store}},
	}
}
