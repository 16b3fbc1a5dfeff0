package integration

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// refusedByDesign are the operations that the service does not offer.
var refusedByDesign = map[string]bool{
	"ReplicateKey": true, "UpdatePrimaryRegion": true, "CreateCustomKeyStore": true,
	"UpdateCustomKeyStore": true, "ConnectCustomKeyStore": true, "DisconnectCustomKeyStore": true, "DeleteCustomKeyStore": true,
}

// The algorithms of the planter's keys.
const (
	ecdsaSHA256 = kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256
	hmacSHA256  = kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_256
	pairP256    = kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_NIST_P256
)

// keyOf makes a key that is not the usual one.
func (p *planter) keyOf(t *testing.T, req *kmsv1.CreateKeyRequest) *string {
	t.Helper()
	res, err := p.client.KMS.CreateKey(within(t, 10*time.Second), req)
	if err != nil {
		t.Fatal(err)
	}
	return res.GetKeyMetadata().Arn
}

func (p *planter) makeKeys(t *testing.T) {
	t.Helper()
	curve := kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256.Enum()
	p.rotating = p.keyOf(t, &kmsv1.CreateKeyRequest{})
	p.signing = p.keyOf(t, &kmsv1.CreateKeyRequest{KeySpec: curve, KeyUsage: kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY.Enum()})
	p.agreeing = p.keyOf(t, &kmsv1.CreateKeyRequest{KeySpec: curve, KeyUsage: kmsv1.KeyUsageType_KEY_USAGE_TYPE_KEY_AGREEMENT.Enum()})
	p.macing = p.keyOf(t, &kmsv1.CreateKeyRequest{
		KeySpec: kmsv1.KeySpec_KEY_SPEC_HMAC_256.Enum(), KeyUsage: kmsv1.KeyUsageType_KEY_USAGE_TYPE_GENERATE_VERIFY_MAC.Enum(),
	})
}

// particulars returns what a good request has besides what fill knows, or nil.
func (p *planter) particulars(t *testing.T, r *dynamicpb.Message) proto.Message {
	t.Helper()
	for _, of := range []func(*testing.T, *dynamicpb.Message) proto.Message{p.ofUse, p.ofManagement, p.ofImport, p.ofOperators, p.ofRefused} {
		if req := of(t, r); req != nil {
			return req
		}
	}
	return nil
}

// ofUse are the particulars of requests that use a key.
func (p *planter) ofUse(t *testing.T, r *dynamicpb.Message) proto.Message {
	t.Helper()
	switch r.Descriptor().Name() {
	case "SignRequest":
		return &kmsv1.SignRequest{KeyId: p.signing, SigningAlgorithm: ecdsaSHA256.Enum()}
	case "VerifyRequest":
		res, err := p.client.KMS.Sign(within(t, 10*time.Second), &kmsv1.SignRequest{KeyId: p.signing, SigningAlgorithm: ecdsaSHA256.Enum(), Message: message(r)})
		if err != nil {
			t.Fatal(err)
		}
		return &kmsv1.VerifyRequest{KeyId: p.signing, SigningAlgorithm: ecdsaSHA256.Enum(), Signature: res.GetSignature()}
	case "GenerateMacRequest":
		return &kmsv1.GenerateMacRequest{KeyId: p.macing, MacAlgorithm: hmacSHA256.Enum()}
	case "VerifyMacRequest":
		res, err := p.client.KMS.GenerateMac(within(t, 10*time.Second), &kmsv1.GenerateMacRequest{KeyId: p.macing, MacAlgorithm: hmacSHA256.Enum(), Message: message(r)})
		if err != nil {
			t.Fatal(err)
		}
		return &kmsv1.VerifyMacRequest{KeyId: p.macing, MacAlgorithm: hmacSHA256.Enum(), Mac: res.GetMac()}
	case "GetPublicKeyRequest":
		return &kmsv1.GetPublicKeyRequest{KeyId: p.signing}
	case "DeriveSharedSecretRequest":
		return &kmsv1.DeriveSharedSecretRequest{
			KeyId: p.agreeing, PublicKey: peer(t), KeyAgreementAlgorithm: kmsv1.KeyAgreementAlgorithmSpec_KEY_AGREEMENT_ALGORITHM_SPEC_ECDH.Enum(),
		}
	case "GenerateDataKeyPairRequest":
		return &kmsv1.GenerateDataKeyPairRequest{KeyPairSpec: pairP256.Enum()}
	case "GenerateDataKeyPairWithoutPlaintextRequest":
		return &kmsv1.GenerateDataKeyPairWithoutPlaintextRequest{KeyPairSpec: pairP256.Enum()}
	}
	return nil
}

// ofManagement are the particulars of requests about grants, policies, tags and rotation.
func (p *planter) ofManagement(t *testing.T, r *dynamicpb.Message) proto.Message {
	t.Helper()
	switch r.Descriptor().Name() {
	case "TagResourceRequest":
		return &kmsv1.TagResourceRequest{Tags: []*kmsv1.Tag{{TagKey: new("note"), TagValue: new(marker)}}}
	case "UntagResourceRequest":
		return &kmsv1.UntagResourceRequest{TagKeys: []string{"note"}}
	case "PutKeyPolicyRequest":
		res, err := p.client.KMS.GetKeyPolicy(within(t, 10*time.Second), &kmsv1.GetKeyPolicyRequest{KeyId: &p.managed})
		if err != nil {
			t.Fatal(err)
		}
		return &kmsv1.PutKeyPolicyRequest{Policy: res.Policy}
	case "CreateGrantRequest":
		return p.grantRequest()
	case "ListRetirableGrantsRequest":
		return &kmsv1.ListRetirableGrantsRequest{RetiringPrincipal: new(harness.ARN(harness.Admin))}
	case "RetireGrantRequest":
		return &kmsv1.RetireGrantRequest{KeyId: p.rotating, GrantId: p.grant(t)}
	case "RevokeGrantRequest":
		return &kmsv1.RevokeGrantRequest{KeyId: p.rotating, GrantId: p.grant(t)}
	case "EnableKeyRotationRequest":
		return &kmsv1.EnableKeyRotationRequest{KeyId: p.rotating}
	case "DisableKeyRotationRequest":
		return &kmsv1.DisableKeyRotationRequest{KeyId: p.rotating}
	case "RotateKeyOnDemandRequest":
		return &kmsv1.RotateKeyOnDemandRequest{KeyId: p.rotating}
	}
	return nil
}

func (p *planter) grantRequest() *kmsv1.CreateGrantRequest {
	return &kmsv1.CreateGrantRequest{
		KeyId: p.rotating, GranteePrincipal: new(harness.ARN(harness.User)), RetiringPrincipal: new(harness.ARN(harness.Admin)),
		Operations: []kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT},
	}
}

// grant makes a grant and returns its id.
func (p *planter) grant(t *testing.T) *string {
	t.Helper()
	res, err := p.client.KMS.CreateGrant(within(t, 10*time.Second), p.grantRequest())
	if err != nil {
		t.Fatal(err)
	}
	return res.GrantId
}

// ofImport are the particulars of requests that import key material, which is secret.
func (p *planter) ofImport(t *testing.T, r *dynamicpb.Message) proto.Message {
	t.Helper()
	switch r.Descriptor().Name() {
	case "GetParametersForImportRequest":
		return p.parametersRequest(t)
	case "ImportKeyMaterialRequest":
		return p.importRequest(t)
	case "DeleteImportedKeyMaterialRequest":
		req := p.importRequest(t)
		if _, err := p.client.KMS.ImportKeyMaterial(within(t, 10*time.Second), req); err != nil {
			t.Fatal(err)
		}
		return &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: req.KeyId}
	}
	return nil
}

func (p *planter) parametersRequest(t *testing.T) *kmsv1.GetParametersForImportRequest {
	t.Helper()
	return &kmsv1.GetParametersForImportRequest{
		KeyId:             p.keyOf(t, &kmsv1.CreateKeyRequest{Origin: kmsv1.OriginType_ORIGIN_TYPE_EXTERNAL.Enum()}),
		WrappingAlgorithm: kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_256.Enum(),
		WrappingKeySpec:   kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_2048.Enum(),
	}
}

func (p *planter) importRequest(t *testing.T) *kmsv1.ImportKeyMaterialRequest {
	t.Helper()
	req := p.parametersRequest(t)
	parameters, err := p.client.KMS.GetParametersForImport(within(t, 10*time.Second), req)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(parameters.GetPublicKey())
	if err != nil {
		t.Fatal(err)
	}
	material := (p.plant("imported material") + p.plant("more imported material"))[:32]
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, key.(*rsa.PublicKey), []byte(material), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &kmsv1.ImportKeyMaterialRequest{
		KeyId: req.KeyId, ImportToken: parameters.GetImportToken(), EncryptedKeyMaterial: wrapped,
		ExpirationModel: kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_DOES_NOT_EXPIRE.Enum(),
	}
}

// ofRefused are the particulars of requests that are refused, but not for their form.
func (p *planter) ofRefused(_ *testing.T, r *dynamicpb.Message) proto.Message {
	store := new("cks-1234567890abcdef0")
	switch r.Descriptor().Name() {
	case "ReplicateKeyRequest":
		return &kmsv1.ReplicateKeyRequest{ReplicaRegion: new("eu-west-1")}
	case "UpdatePrimaryRegionRequest":
		return &kmsv1.UpdatePrimaryRegionRequest{PrimaryRegion: new("eu-west-1")}
	case "CreateCustomKeyStoreRequest":
		return &kmsv1.CreateCustomKeyStoreRequest{CustomKeyStoreName: new("store")}
	case "UpdateCustomKeyStoreRequest":
		return &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: store}
	case "ConnectCustomKeyStoreRequest":
		return &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: store}
	case "DisconnectCustomKeyStoreRequest":
		return &kmsv1.DisconnectCustomKeyStoreRequest{CustomKeyStoreId: store}
	case "DeleteCustomKeyStoreRequest":
		return &kmsv1.DeleteCustomKeyStoreRequest{CustomKeyStoreId: store}
	}
	return nil
}

// message returns the message that a request is about.
func message(r *dynamicpb.Message) []byte {
	return r.Get(r.Descriptor().Fields().ByName("message")).Bytes()
}

// peer returns the public key of another party.
func peer(t *testing.T) []byte {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return spki
}
