package cli_test

import (
	"context"

	"google.golang.org/grpc/codes"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func (fakeKMS) GetParametersForImport(_ context.Context, r *kmsv1.GetParametersForImportRequest) (*kmsv1.GetParametersForImportResponse, error) {
	return &kmsv1.GetParametersForImportResponse{
		KeyId: new(fakeKeyARN), PublicKey: []byte("public\n"), ImportToken: []byte("token\n"), ParametersValidTo: fakeTime(),
	}, checkKey(r.GetKeyId())
}

// ImportKeyMaterial answers how the material expires in place of its id.
func (fakeKMS) ImportKeyMaterial(_ context.Context, r *kmsv1.ImportKeyMaterialRequest) (*kmsv1.ImportKeyMaterialResponse, error) {
	if string(r.GetImportToken()) != "token\n" || string(r.GetEncryptedKeyMaterial()) != "(wrapped)\n" {
		return nil, refuse(codes.InvalidArgument, "InvalidImportTokenException", "token %q, material %q", r.GetImportToken(), r.GetEncryptedKeyMaterial())
	}
	return &kmsv1.ImportKeyMaterialResponse{
		KeyId: new(fakeKeyARN), KeyMaterialId: new(r.GetExpirationModel().String() + " " + r.GetValidTo().AsTime().Format("2006-01-02")),
	}, checkKey(r.GetKeyId())
}

func (fakeKMS) DeleteImportedKeyMaterial(_ context.Context, r *kmsv1.DeleteImportedKeyMaterialRequest) (*kmsv1.DeleteImportedKeyMaterialResponse, error) {
	return &kmsv1.DeleteImportedKeyMaterialResponse{KeyId: new(fakeKeyARN), KeyMaterialId: r.KeyMaterialId}, checkKey(r.GetKeyId())
}
