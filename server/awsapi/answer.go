package awsapi

import (
	"net/http"
	"strconv"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/awsjson"
)

// usualAnswer is the room for an answer, in bytes, that most need no more than.
const usualAnswer = 1024

// answers are buffers for answers. They are wiped before they are put back.
var answers = sync.Pool{New: func() any { return new(make([]byte, 0, usualAnswer)) }}

// answer writes the answer of an operation.
func (x *exchange) answer(m proto.Message) {
	switch x.method.EmptyOutput {
	case annotationsv1.EmptyOutput_EMPTY_OUTPUT_NO_BODY:
		x.write(http.StatusOK, nil)
		return
	case annotationsv1.EmptyOutput_EMPTY_OUTPUT_EMPTY_OBJECT:
		x.write(http.StatusOK, []byte("{}"))
		return
	}
	buffer := answers.Get().(*[]byte)
	body := awsjson.Append((*buffer)[:0], x.method.Response, m)
	x.write(http.StatusOK, body)
	clear(body) // it may hold plaintext
	*buffer = body[:0]
	answers.Put(buffer)
}

// fail writes an error as AWS does: its name and its message.
func (x *exchange) fail(e *keystore.Error) {
	rule := describe.ErrorOf(e.Kind)
	body := jsonenc.AppendString([]byte(`{"__type":`), rule.Name)
	if e.Message != "" {
		body = jsonenc.AppendString(append(body, `,"message":`...), e.Message)
	}
	x.write(rule.HTTPStatus, append(body, '}'))
}

// write writes a whole answer. Keys and plaintexts are not for caches.
func (x *exchange) write(status int, body []byte) {
	header := x.w.Header()
	header.Set("x-amzn-RequestId", x.id)
	header.Set("Cache-Control", "no-cache, no-store, must-revalidate, private")
	header.Set("Expires", "0")
	header.Set("Pragma", "no-cache")
	header.Set("Content-Type", x.contentType())
	header.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if _, err := x.w.Write(body); err != nil {
		x.log.Debug("the client has not taken its answer", "request_id", x.id, "error", err)
	}
}

// contentType is that of the operation; without one, of JSON 1.1.
func (x *exchange) contentType() string {
	if x.method == nil {
		return "application/x-amz-json-1.1"
	}
	return contentType(x.method)
}
