package awsapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	"github.com/strongroom-kms/strongroom/server"
)

// MaxRequestBytes is the largest body of a request, in bytes: base64 takes a third
// more than the octets that gRPC takes.
const MaxRequestBytes = 2 * server.MaxRequestBytes

// Sizes of buffers, in bytes.
const (
	usualBody = 2 << 10  // most bodies need no more
	keptBody  = 64 << 10 // a larger one is rare, and its memory not kept for the next
)

// buffer is memory for the body of a request or of an answer. It may hold
// plaintexts while it is borrowed, and is empty while it is not.
type buffer []byte

var buffers sync.Pool

func borrow() *buffer {
	if b, ok := buffers.Get().(*buffer); ok {
		return b
	}
	return new(make(buffer, 0, usualBody))
}

// giveBack wipes the body that was made in the buffer, or that has outgrown it.
func (b *buffer) giveBack(body []byte) {
	clear(body)
	if cap(body) <= keptBody {
		*b = body[:0]
		buffers.Put(b)
	}
}

// body reads the request's body, up to the limit, to the end of dst. Also that of
// a failure is to be wiped.
func (x *exchange) body(dst []byte) ([]byte, *keystore.Error) {
	body, err := appendAll(dst, http.MaxBytesReader(x.w, x.r.Body, MaxRequestBytes))
	if err == nil {
		return body, nil
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return body, &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_REQUEST_ENTITY_TOO_LARGE,
			Message: fmt.Sprintf("The request is larger than %d bytes.", MaxRequestBytes)}
	}
	return body, &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_MALFORMED_HTTP_REQUEST, Message: "The request's body cannot be read.", Err: err}
}

// appendAll appends all that r has, as io.ReadAll does, and wipes every array that
// it outgrows. Memory is taken for what has come, not for what was announced.
func appendAll(dst []byte, r io.Reader) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			grown := append(make([]byte, 0, 2*cap(dst)+usualBody), dst...)
			clear(dst)
			dst = grown
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}
