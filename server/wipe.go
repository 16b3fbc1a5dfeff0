package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// wiper overwrites the secrets of messages that are no longer needed.
type wiper func(proto.Message)

// unary wipes each request when it is done with. Answers are wiped by the codec
// as soon as they are encoded.
func (w wiper) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	defer w.wipe(req)
	return next(ctx, req)
}

func (w wiper) wipe(message any) {
	if m, ok := message.(proto.Message); ok && w != nil {
		w(m)
	}
}
