package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/strongroom-kms/strongroom/keystore"
)

// requestIDHeader is the header in which AWS services answer the request's id.
const requestIDHeader = "x-amzn-requestid"

// sendRequestID answers each unary request's id in a header, errors included.
// Requests that leave no event are answered without one.
func sendRequestID(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if isInfrastructure(info.FullMethod) {
		return next(ctx, req)
	}
	if err := grpc.SetHeader(ctx, requestIDOf(ctx)); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// sendStreamRequestID is sendRequestID for streams.
func sendStreamRequestID(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if isInfrastructure(info.FullMethod) {
		return next(srv, ss)
	}
	if err := ss.SetHeader(requestIDOf(ss.Context())); err != nil {
		return err
	}
	return next(srv, ss)
}

func requestIDOf(ctx context.Context) metadata.MD {
	caller, _ := keystore.CallerFrom(ctx)
	return metadata.MD{requestIDHeader: {caller.RequestID}}
}
