package cli_test

import (
	"context"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// CreateConsoleLink makes the same link each time.
func (fakeOperator) CreateConsoleLink(context.Context, *operatorv1.CreateConsoleLinkRequest) (*operatorv1.CreateConsoleLinkResponse, error) {
	return &operatorv1.CreateConsoleLinkResponse{Url: new("http://127.0.0.1:7402/sign-in?link=XYZ"), Expires: fakeTime()}, nil
}
