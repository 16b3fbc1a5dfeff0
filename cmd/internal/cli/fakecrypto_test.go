package cli_test

import (
	"bytes"
	"context"
	"slices"

	"google.golang.org/grpc/codes"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// fakeSignature says what was signed, and how.
func fakeSignature(algorithm, kind string, message []byte) []byte {
	return slices.Concat([]byte(algorithm+" "+kind+" "), message)
}

func (fakeKMS) Sign(_ context.Context, r *kmsv1.SignRequest) (*kmsv1.SignResponse, error) {
	return &kmsv1.SignResponse{
		Signature: fakeSignature(r.GetSigningAlgorithm().String(), r.GetMessageType().String(), r.GetMessage()),
	}, checkKey(r.GetKeyId())
}

func (fakeKMS) Verify(_ context.Context, r *kmsv1.VerifyRequest) (*kmsv1.VerifyResponse, error) {
	if !bytes.Equal(r.GetSignature(), fakeSignature(r.GetSigningAlgorithm().String(), r.GetMessageType().String(), r.GetMessage())) {
		return nil, refuse(codes.InvalidArgument, "KMSInvalidSignatureException", "The signature is not valid.")
	}
	return &kmsv1.VerifyResponse{SignatureValid: new(true), KeyId: new(fakeKeyARN), SigningAlgorithm: r.SigningAlgorithm}, checkKey(r.GetKeyId())
}

func (fakeKMS) GenerateMac(_ context.Context, r *kmsv1.GenerateMacRequest) (*kmsv1.GenerateMacResponse, error) {
	return &kmsv1.GenerateMacResponse{Mac: fakeSignature(r.GetMacAlgorithm().String(), "", r.GetMessage())}, checkKey(r.GetKeyId())
}

func (fakeKMS) VerifyMac(_ context.Context, r *kmsv1.VerifyMacRequest) (*kmsv1.VerifyMacResponse, error) {
	if !bytes.Equal(r.GetMac(), fakeSignature(r.GetMacAlgorithm().String(), "", r.GetMessage())) {
		return nil, refuse(codes.InvalidArgument, "KMSInvalidMacException", "The code is not valid.")
	}
	return &kmsv1.VerifyMacResponse{MacValid: new(true), KeyId: new(fakeKeyARN)}, checkKey(r.GetKeyId())
}

func (fakeKMS) GetPublicKey(_ context.Context, r *kmsv1.GetPublicKeyRequest) (*kmsv1.GetPublicKeyResponse, error) {
	return &kmsv1.GetPublicKeyResponse{
		KeyId: new(fakeKeyARN), PublicKey: []byte("public"),
		SigningAlgorithms: []kmsv1.SigningAlgorithmSpec{kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256},
	}, checkKey(r.GetKeyId())
}

// DeriveSharedSecret answers the other side's public key.
func (fakeKMS) DeriveSharedSecret(_ context.Context, r *kmsv1.DeriveSharedSecretRequest) (*kmsv1.DeriveSharedSecretResponse, error) {
	return &kmsv1.DeriveSharedSecretResponse{SharedSecret: r.GetPublicKey()}, checkKey(r.GetKeyId())
}

func (fakeKMS) GenerateDataKeyPair(_ context.Context, r *kmsv1.GenerateDataKeyPairRequest) (*kmsv1.GenerateDataKeyPairResponse, error) {
	return &kmsv1.GenerateDataKeyPairResponse{
		KeyId: new(fakeKeyARN), KeyPairSpec: r.KeyPairSpec, PublicKey: []byte("public"), PrivateKeyPlaintext: []byte("private"),
		PrivateKeyCiphertextBlob: seal([]byte("private"), r.GetEncryptionContext()),
	}, checkKey(r.GetKeyId())
}

func (fakeKMS) GenerateDataKeyPairWithoutPlaintext(_ context.Context, r *kmsv1.GenerateDataKeyPairWithoutPlaintextRequest) (*kmsv1.GenerateDataKeyPairWithoutPlaintextResponse, error) {
	return &kmsv1.GenerateDataKeyPairWithoutPlaintextResponse{
		KeyId: new(fakeKeyARN), KeyPairSpec: r.KeyPairSpec, PublicKey: []byte("public"), PrivateKeyCiphertextBlob: []byte{1},
	}, checkKey(r.GetKeyId())
}
