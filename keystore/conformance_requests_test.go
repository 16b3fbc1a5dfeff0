package keystore

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// wellFormed is a request of every operation that is within its limits, and with which
// admin gets past them, to keys that nothing changes.
func (c *conformance) wellFormed() []proto.Message {
	var all []proto.Message
	for _, o := range keyedOperations() {
		req := proto.Clone(o.request)
		r := req.ProtoReflect()
		r.Set(r.Descriptor().Fields().ByName(o.field), protoreflect.ValueOfString(c.keys[o.usage].GetKeyId()))
		all = append(all, req)
	}
	return append(append(all, c.otherRequests()...), storeRequests()...)
}

// otherRequests are those of the operations without generated rows on a key.
func (c *conformance) otherRequests() []proto.Message {
	key, x := c.keys[encryptDecrypt].KeyId, []byte("x")
	return []proto.Message{
		&kmsv1.CreateKeyRequest{Tags: tagsOf("a", "1")},
		&kmsv1.ListKeysRequest{},
		&kmsv1.ListAliasesRequest{},
		&kmsv1.ListRetirableGrantsRequest{RetiringPrincipal: new(app)},
		&kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(1))},
		&kmsv1.DecryptRequest{CiphertextBlob: x},
		&kmsv1.ReEncryptRequest{CiphertextBlob: x, DestinationKeyId: key},
		&kmsv1.CreateAliasRequest{AliasName: new("alias/new"), TargetKeyId: key},
		&kmsv1.UpdateAliasRequest{AliasName: new("alias/here"), TargetKeyId: key},
		&kmsv1.DeleteAliasRequest{AliasName: new("alias/gone")},
		&kmsv1.RetireGrantRequest{KeyId: key, GrantId: new("x")},
		&kmsv1.GetParametersForImportRequest{
			KeyId:             c.awaiting.KeyId,
			WrappingAlgorithm: kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_256.Enum(), WrappingKeySpec: kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_2048.Enum(),
		},
		&kmsv1.ImportKeyMaterialRequest{KeyId: c.awaiting.KeyId, ImportToken: x, EncryptedKeyMaterial: x},
		&kmsv1.DeleteImportedKeyMaterialRequest{KeyId: c.awaiting.KeyId},
		&kmsv1.ReplicateKeyRequest{KeyId: key, ReplicaRegion: new("eu-west-1"), Tags: tagsOf("a", "1")},
		&kmsv1.UpdatePrimaryRegionRequest{KeyId: key, PrimaryRegion: new("eu-west-1")},
	}
}

// storeRequests are those of the operations on custom key stores.
func storeRequests() []proto.Message {
	store := new("cks-1234567890abcdef0")
	credential := &kmsv1.XksProxyAuthenticationCredential{AccessKeyId: new("AAAAAAAAAAAAAAAAAAAA"), RawSecretAccessKey: new("0123456789012345678901234567890123456789012")}
	return []proto.Message{
		&kmsv1.CreateCustomKeyStoreRequest{CustomKeyStoreName: new("store"), XksProxyAuthenticationCredential: credential},
		&kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: store, XksProxyAuthenticationCredential: credential},
		&kmsv1.DescribeCustomKeyStoresRequest{},
		&kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: store},
		&kmsv1.DisconnectCustomKeyStoreRequest{CustomKeyStoreId: store},
		&kmsv1.DeleteCustomKeyStoreRequest{CustomKeyStoreId: store},
	}
}
