package authn

import (
	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// WhileSame returns a stream that passes on no answer once its connection proves
// another principal than it does now: the certificate has expired, or its name has
// been taken from the principal.
func WhileSame(ss grpc.ServerStream) grpc.ServerStream {
	opener, _ := Principal(ss.Context())
	return &sameStream{ServerStream: ss, opener: opener}
}

type sameStream struct {
	grpc.ServerStream
	opener string // the principal that has opened the stream
}

// SendMsg is part of grpc.ServerStream.
func (s *sameStream) SendMsg(m any) error {
	if now, _ := Principal(s.Context()); now != s.opener {
		return &keystore.Error{
			Kind:    annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT,
			Message: "The credentials of the connection are no longer those of the principal that made the request.",
		}
	}
	return s.ServerStream.SendMsg(m)
}
