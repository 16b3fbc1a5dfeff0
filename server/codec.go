package server

import (
	"errors"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// errTooLarge is why a message over MaxRequestBytes is not decoded.
var errTooLarge = errors.New("the message is too large")

// incoming receives a request message whatever its bytes are. gRPC answers an
// error of its codec at once, before any interceptor could; so the error is
// kept here, and the request goes on to be answered and recorded as others are.
type incoming struct {
	message any
	err     error
}

// codec is gRPC's codec for protobuf that also knows incoming messages, and
// wipes the secrets of outgoing ones.
type codec struct {
	encoding.CodecV2
	wiper wiper
}

func newCodec(w wiper) codec { return codec{encoding.GetCodecV2(proto.Name), w} }

// Marshal is part of encoding.CodecV2. The server encodes a message once and
// then has no more use for it.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	defer c.wiper.wipe(v)
	return c.CodecV2.Marshal(v)
}

// Unmarshal is part of encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(*incoming)
	switch {
	case !ok:
		return c.CodecV2.Unmarshal(data, v)
	case data.Len() > MaxRequestBytes:
		in.err = errTooLarge
	default:
		in.err = c.CodecV2.Unmarshal(data, in.message)
	}
	return nil
}
