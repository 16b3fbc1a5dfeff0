package server

import (
	"context"

	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// requireCertificate refuses unary requests of connections without a client
// certificate, to health and reflection too.
func requireCertificate(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := certified(ctx); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// requireStreamCertificate is requireCertificate for streams.
func requireStreamCertificate(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := certified(ss.Context()); err != nil {
		return err
	}
	return next(srv, ss)
}

func certified(ctx context.Context) error {
	if caller, ok := keystore.CallerFrom(ctx); ok && caller.Credential != "" {
		return nil
	}
	return &keystore.Error{
		Kind:    annotationsv1.ErrorKind_ERROR_KIND_MISSING_AUTHENTICATION_TOKEN,
		Message: "The connection has no client certificate; one that the server's client CA has signed is needed.",
	}
}
