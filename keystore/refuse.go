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
