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
