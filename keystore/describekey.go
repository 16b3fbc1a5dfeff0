package keystore

import (
	"context"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// DescribeKey answers a key's metadata, whatever its state.
func (k *Keystore) DescribeKey(ctx context.Context, req *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_DescribeKey_FullMethodName, req, plan[*kmsv1.DescribeKeyResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		run: func(_ context.Context, p *proof) (*kmsv1.DescribeKeyResponse, error) {
			return &kmsv1.DescribeKeyResponse{KeyMetadata: p.key.metadata(k.scope)}, nil
		},
	})
}
