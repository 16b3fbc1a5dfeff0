package cli_test

import (
	"context"

	"google.golang.org/grpc/codes"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// fakeAccessKeys are the access keys that there are: arn:alice has one, arn:bob two.
func fakeAccessKeys() []*operatorv1.AccessKey {
	return []*operatorv1.AccessKey{
		{AccessKeyId: new("AKIAALICE2222222222A"), Principal: new("arn:aws:iam::000000000000:user/alice"), Created: fakeTime()},
		{AccessKeyId: new("AKIABOB222222222222A"), Principal: new("arn:aws:iam::000000000000:user/bob"), Created: fakeTime()},
		{AccessKeyId: new("AKIABOB222222222222B"), Principal: new("arn:aws:iam::000000000000:user/bob"), Created: fakeTime()},
	}
}

// CreateAccessKey refuses a third one.
func (f fakeOperator) CreateAccessKey(ctx context.Context, r *operatorv1.CreateAccessKeyRequest) (*operatorv1.CreateAccessKeyResponse, error) {
	has, err := f.ListAccessKeys(ctx, &operatorv1.ListAccessKeysRequest{Principal: r.Principal})
	if err != nil {
		return nil, err
	}
	if n := len(has.GetAccessKeys()); n > 1 {
		return nil, refuse(codes.ResourceExhausted, "LimitExceededException", "the principal has %d access keys", n)
	}
	return &operatorv1.CreateAccessKeyResponse{
		AccessKey:       &operatorv1.AccessKey{AccessKeyId: new("AKIANEW222222222222A"), Principal: r.Principal, Created: fakeTime()},
		SecretAccessKey: new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
	}, nil
}

func (fakeOperator) ListAccessKeys(_ context.Context, r *operatorv1.ListAccessKeysRequest) (*operatorv1.ListAccessKeysResponse, error) {
	res := new(operatorv1.ListAccessKeysResponse)
	for _, k := range fakeAccessKeys() {
		if r.Principal == nil || r.GetPrincipal() == k.GetPrincipal() {
			res.AccessKeys = append(res.AccessKeys, k)
		}
	}
	return res, nil
}

func (fakeOperator) DeleteAccessKey(_ context.Context, r *operatorv1.DeleteAccessKeyRequest) (*operatorv1.DeleteAccessKeyResponse, error) {
	for _, k := range fakeAccessKeys() {
		if k.GetAccessKeyId() == r.GetAccessKeyId() {
			return new(operatorv1.DeleteAccessKeyResponse), nil
		}
	}
	return nil, refuse(codes.InvalidArgument, "ValidationException", "there is no access key %s", r.GetAccessKeyId())
}
