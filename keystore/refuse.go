package keystore

import (
	"context"

	"google.golang.org/protobuf/proto"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// refuse answers an operation that the service does not offer. As every other
// request it leaves its event.
func refuse[Res proto.Message](ctx context.Context, k *Keystore, fullMethod string, req proto.Message) (Res, error) {
	return perform(ctx, k, fullMethod, req, plan[Res]{
		check: func([]target) error {
			return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "%s is not supported.", k.api.Method(fullMethod).Name)
		},
	})
}

// Sign is not supported.
func (k *Keystore) Sign(ctx context.Context, req *kmsv1.SignRequest) (*kmsv1.SignResponse, error) {
	return refuse[*kmsv1.SignResponse](ctx, k, kmsv1.KeyManagementService_Sign_FullMethodName, req)
}

// Verify is not supported.
func (k *Keystore) Verify(ctx context.Context, req *kmsv1.VerifyRequest) (*kmsv1.VerifyResponse, error) {
	return refuse[*kmsv1.VerifyResponse](ctx, k, kmsv1.KeyManagementService_Verify_FullMethodName, req)
}

// GenerateMac is not supported.
func (k *Keystore) GenerateMac(ctx context.Context, req *kmsv1.GenerateMacRequest) (*kmsv1.GenerateMacResponse, error) {
	return refuse[*kmsv1.GenerateMacResponse](ctx, k, kmsv1.KeyManagementService_GenerateMac_FullMethodName, req)
}

// VerifyMac is not supported.
func (k *Keystore) VerifyMac(ctx context.Context, req *kmsv1.VerifyMacRequest) (*kmsv1.VerifyMacResponse, error) {
	return refuse[*kmsv1.VerifyMacResponse](ctx, k, kmsv1.KeyManagementService_VerifyMac_FullMethodName, req)
}

// GetPublicKey is not supported.
func (k *Keystore) GetPublicKey(ctx context.Context, req *kmsv1.GetPublicKeyRequest) (*kmsv1.GetPublicKeyResponse, error) {
	return refuse[*kmsv1.GetPublicKeyResponse](ctx, k, kmsv1.KeyManagementService_GetPublicKey_FullMethodName, req)
}

// DeriveSharedSecret is not supported.
func (k *Keystore) DeriveSharedSecret(ctx context.Context, req *kmsv1.DeriveSharedSecretRequest) (*kmsv1.DeriveSharedSecretResponse, error) {
	return refuse[*kmsv1.DeriveSharedSecretResponse](ctx, k, kmsv1.KeyManagementService_DeriveSharedSecret_FullMethodName, req)
}

// GenerateDataKeyPair is not supported.
func (k *Keystore) GenerateDataKeyPair(ctx context.Context, req *kmsv1.GenerateDataKeyPairRequest) (*kmsv1.GenerateDataKeyPairResponse, error) {
	return refuse[*kmsv1.GenerateDataKeyPairResponse](ctx, k, kmsv1.KeyManagementService_GenerateDataKeyPair_FullMethodName, req)
}

// GenerateDataKeyPairWithoutPlaintext is not supported.
func (k *Keystore) GenerateDataKeyPairWithoutPlaintext(ctx context.Context, req *kmsv1.GenerateDataKeyPairWithoutPlaintextRequest) (*kmsv1.GenerateDataKeyPairWithoutPlaintextResponse, error) {
	return refuse[*kmsv1.GenerateDataKeyPairWithoutPlaintextResponse](ctx, k, kmsv1.KeyManagementService_GenerateDataKeyPairWithoutPlaintext_FullMethodName, req)
}

// TagResource is not supported.
func (k *Keystore) TagResource(ctx context.Context, req *kmsv1.TagResourceRequest) (*kmsv1.TagResourceResponse, error) {
	return refuse[*kmsv1.TagResourceResponse](ctx, k, kmsv1.KeyManagementService_TagResource_FullMethodName, req)
}

// UntagResource is not supported.
func (k *Keystore) UntagResource(ctx context.Context, req *kmsv1.UntagResourceRequest) (*kmsv1.UntagResourceResponse, error) {
	return refuse[*kmsv1.UntagResourceResponse](ctx, k, kmsv1.KeyManagementService_UntagResource_FullMethodName, req)
}

// ListResourceTags is not supported.
func (k *Keystore) ListResourceTags(ctx context.Context, req *kmsv1.ListResourceTagsRequest) (*kmsv1.ListResourceTagsResponse, error) {
	return refuse[*kmsv1.ListResourceTagsResponse](ctx, k, kmsv1.KeyManagementService_ListResourceTags_FullMethodName, req)
}

// GetKeyPolicy is not supported.
func (k *Keystore) GetKeyPolicy(ctx context.Context, req *kmsv1.GetKeyPolicyRequest) (*kmsv1.GetKeyPolicyResponse, error) {
	return refuse[*kmsv1.GetKeyPolicyResponse](ctx, k, kmsv1.KeyManagementService_GetKeyPolicy_FullMethodName, req)
}

// PutKeyPolicy is not supported.
func (k *Keystore) PutKeyPolicy(ctx context.Context, req *kmsv1.PutKeyPolicyRequest) (*kmsv1.PutKeyPolicyResponse, error) {
	return refuse[*kmsv1.PutKeyPolicyResponse](ctx, k, kmsv1.KeyManagementService_PutKeyPolicy_FullMethodName, req)
}

// ListKeyPolicies is not supported.
func (k *Keystore) ListKeyPolicies(ctx context.Context, req *kmsv1.ListKeyPoliciesRequest) (*kmsv1.ListKeyPoliciesResponse, error) {
	return refuse[*kmsv1.ListKeyPoliciesResponse](ctx, k, kmsv1.KeyManagementService_ListKeyPolicies_FullMethodName, req)
}

// CreateGrant is not supported.
func (k *Keystore) CreateGrant(ctx context.Context, req *kmsv1.CreateGrantRequest) (*kmsv1.CreateGrantResponse, error) {
	return refuse[*kmsv1.CreateGrantResponse](ctx, k, kmsv1.KeyManagementService_CreateGrant_FullMethodName, req)
}

// ListGrants is not supported.
func (k *Keystore) ListGrants(ctx context.Context, req *kmsv1.ListGrantsRequest) (*kmsv1.ListGrantsResponse, error) {
	return refuse[*kmsv1.ListGrantsResponse](ctx, k, kmsv1.KeyManagementService_ListGrants_FullMethodName, req)
}

// ListRetirableGrants is not supported.
func (k *Keystore) ListRetirableGrants(ctx context.Context, req *kmsv1.ListRetirableGrantsRequest) (*kmsv1.ListRetirableGrantsResponse, error) {
	return refuse[*kmsv1.ListRetirableGrantsResponse](ctx, k, kmsv1.KeyManagementService_ListRetirableGrants_FullMethodName, req)
}

// RetireGrant is not supported.
func (k *Keystore) RetireGrant(ctx context.Context, req *kmsv1.RetireGrantRequest) (*kmsv1.RetireGrantResponse, error) {
	return refuse[*kmsv1.RetireGrantResponse](ctx, k, kmsv1.KeyManagementService_RetireGrant_FullMethodName, req)
}

// RevokeGrant is not supported.
func (k *Keystore) RevokeGrant(ctx context.Context, req *kmsv1.RevokeGrantRequest) (*kmsv1.RevokeGrantResponse, error) {
	return refuse[*kmsv1.RevokeGrantResponse](ctx, k, kmsv1.KeyManagementService_RevokeGrant_FullMethodName, req)
}

// EnableKeyRotation is not supported.
func (k *Keystore) EnableKeyRotation(ctx context.Context, req *kmsv1.EnableKeyRotationRequest) (*kmsv1.EnableKeyRotationResponse, error) {
	return refuse[*kmsv1.EnableKeyRotationResponse](ctx, k, kmsv1.KeyManagementService_EnableKeyRotation_FullMethodName, req)
}

// DisableKeyRotation is not supported.
func (k *Keystore) DisableKeyRotation(ctx context.Context, req *kmsv1.DisableKeyRotationRequest) (*kmsv1.DisableKeyRotationResponse, error) {
	return refuse[*kmsv1.DisableKeyRotationResponse](ctx, k, kmsv1.KeyManagementService_DisableKeyRotation_FullMethodName, req)
}

// GetKeyRotationStatus is not supported.
func (k *Keystore) GetKeyRotationStatus(ctx context.Context, req *kmsv1.GetKeyRotationStatusRequest) (*kmsv1.GetKeyRotationStatusResponse, error) {
	return refuse[*kmsv1.GetKeyRotationStatusResponse](ctx, k, kmsv1.KeyManagementService_GetKeyRotationStatus_FullMethodName, req)
}

// RotateKeyOnDemand is not supported.
func (k *Keystore) RotateKeyOnDemand(ctx context.Context, req *kmsv1.RotateKeyOnDemandRequest) (*kmsv1.RotateKeyOnDemandResponse, error) {
	return refuse[*kmsv1.RotateKeyOnDemandResponse](ctx, k, kmsv1.KeyManagementService_RotateKeyOnDemand_FullMethodName, req)
}

// ListKeyRotations is not supported.
func (k *Keystore) ListKeyRotations(ctx context.Context, req *kmsv1.ListKeyRotationsRequest) (*kmsv1.ListKeyRotationsResponse, error) {
	return refuse[*kmsv1.ListKeyRotationsResponse](ctx, k, kmsv1.KeyManagementService_ListKeyRotations_FullMethodName, req)
}

// GetKeyLastUsage is not supported.
func (k *Keystore) GetKeyLastUsage(ctx context.Context, req *kmsv1.GetKeyLastUsageRequest) (*kmsv1.GetKeyLastUsageResponse, error) {
	return refuse[*kmsv1.GetKeyLastUsageResponse](ctx, k, kmsv1.KeyManagementService_GetKeyLastUsage_FullMethodName, req)
}

// GetParametersForImport is not supported.
func (k *Keystore) GetParametersForImport(ctx context.Context, req *kmsv1.GetParametersForImportRequest) (*kmsv1.GetParametersForImportResponse, error) {
	return refuse[*kmsv1.GetParametersForImportResponse](ctx, k, kmsv1.KeyManagementService_GetParametersForImport_FullMethodName, req)
}

// ImportKeyMaterial is not supported.
func (k *Keystore) ImportKeyMaterial(ctx context.Context, req *kmsv1.ImportKeyMaterialRequest) (*kmsv1.ImportKeyMaterialResponse, error) {
	return refuse[*kmsv1.ImportKeyMaterialResponse](ctx, k, kmsv1.KeyManagementService_ImportKeyMaterial_FullMethodName, req)
}

// DeleteImportedKeyMaterial is not supported.
func (k *Keystore) DeleteImportedKeyMaterial(ctx context.Context, req *kmsv1.DeleteImportedKeyMaterialRequest) (*kmsv1.DeleteImportedKeyMaterialResponse, error) {
	return refuse[*kmsv1.DeleteImportedKeyMaterialResponse](ctx, k, kmsv1.KeyManagementService_DeleteImportedKeyMaterial_FullMethodName, req)
}

// ReplicateKey is not supported.
func (k *Keystore) ReplicateKey(ctx context.Context, req *kmsv1.ReplicateKeyRequest) (*kmsv1.ReplicateKeyResponse, error) {
	return refuse[*kmsv1.ReplicateKeyResponse](ctx, k, kmsv1.KeyManagementService_ReplicateKey_FullMethodName, req)
}

// UpdatePrimaryRegion is not supported.
func (k *Keystore) UpdatePrimaryRegion(ctx context.Context, req *kmsv1.UpdatePrimaryRegionRequest) (*kmsv1.UpdatePrimaryRegionResponse, error) {
	return refuse[*kmsv1.UpdatePrimaryRegionResponse](ctx, k, kmsv1.KeyManagementService_UpdatePrimaryRegion_FullMethodName, req)
}

// CreateCustomKeyStore is not supported.
func (k *Keystore) CreateCustomKeyStore(ctx context.Context, req *kmsv1.CreateCustomKeyStoreRequest) (*kmsv1.CreateCustomKeyStoreResponse, error) {
	return refuse[*kmsv1.CreateCustomKeyStoreResponse](ctx, k, kmsv1.KeyManagementService_CreateCustomKeyStore_FullMethodName, req)
}

// DescribeCustomKeyStores is not supported.
func (k *Keystore) DescribeCustomKeyStores(ctx context.Context, req *kmsv1.DescribeCustomKeyStoresRequest) (*kmsv1.DescribeCustomKeyStoresResponse, error) {
	return refuse[*kmsv1.DescribeCustomKeyStoresResponse](ctx, k, kmsv1.KeyManagementService_DescribeCustomKeyStores_FullMethodName, req)
}

// UpdateCustomKeyStore is not supported.
func (k *Keystore) UpdateCustomKeyStore(ctx context.Context, req *kmsv1.UpdateCustomKeyStoreRequest) (*kmsv1.UpdateCustomKeyStoreResponse, error) {
	return refuse[*kmsv1.UpdateCustomKeyStoreResponse](ctx, k, kmsv1.KeyManagementService_UpdateCustomKeyStore_FullMethodName, req)
}

// ConnectCustomKeyStore is not supported.
func (k *Keystore) ConnectCustomKeyStore(ctx context.Context, req *kmsv1.ConnectCustomKeyStoreRequest) (*kmsv1.ConnectCustomKeyStoreResponse, error) {
	return refuse[*kmsv1.ConnectCustomKeyStoreResponse](ctx, k, kmsv1.KeyManagementService_ConnectCustomKeyStore_FullMethodName, req)
}

// DisconnectCustomKeyStore is not supported.
func (k *Keystore) DisconnectCustomKeyStore(ctx context.Context, req *kmsv1.DisconnectCustomKeyStoreRequest) (*kmsv1.DisconnectCustomKeyStoreResponse, error) {
	return refuse[*kmsv1.DisconnectCustomKeyStoreResponse](ctx, k, kmsv1.KeyManagementService_DisconnectCustomKeyStore_FullMethodName, req)
}

// DeleteCustomKeyStore is not supported.
func (k *Keystore) DeleteCustomKeyStore(ctx context.Context, req *kmsv1.DeleteCustomKeyStoreRequest) (*kmsv1.DeleteCustomKeyStoreResponse, error) {
	return refuse[*kmsv1.DeleteCustomKeyStoreResponse](ctx, k, kmsv1.KeyManagementService_DeleteCustomKeyStore_FullMethodName, req)
}
