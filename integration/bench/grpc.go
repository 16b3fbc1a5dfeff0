package main

import (
	"context"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// grpcCaller calls over gRPC.
type grpcCaller struct {
	client *harness.Client
	key    string
}

func (c grpcCaller) encrypt(ctx context.Context, plaintext []byte) ([]byte, error) {
	res, err := c.client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &c.key, Plaintext: plaintext, EncryptionContext: pairs()})
	return res.GetCiphertextBlob(), err
}

func (c grpcCaller) decrypt(ctx context.Context, blob []byte) ([]byte, error) {
	res, err := c.client.KMS.Decrypt(ctx, &kmsv1.DecryptRequest{CiphertextBlob: blob, EncryptionContext: pairs()})
	return res.GetPlaintext(), err
}

func (c grpcCaller) dataKey(ctx context.Context) (pair, error) {
	res, err := c.client.KMS.GenerateDataKey(ctx, &kmsv1.GenerateDataKeyRequest{
		KeyId: &c.key, KeySpec: kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256.Enum(), EncryptionContext: pairs(),
	})
	return pair{res.GetPlaintext(), res.GetCiphertextBlob()}, err
}
