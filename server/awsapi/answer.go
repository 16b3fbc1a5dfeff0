package awsapi

import (
	"maps"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// answer writes the answer of an operation.
func (x *exchange) answer(m proto.Message) {
	switch x.method.EmptyOutput {
	case annotationsv1.EmptyOutput_EMPTY_OUTPUT_NO_BODY:
		x.write(http.StatusOK, nil)
		return
	case annotationsv1.EmptyOutput_EMPTY_OUTPUT_EMPTY_OBJECT:
		x.write(http.StatusOK, x.protocol.empty())
		return
	}
	buffer := borrow()
	body := x.protocol.appendAnswer(*buffer, x.method.Response, m)
	defer buffer.giveBack(body)
	x.write(http.StatusOK, body)
}

// fail writes an error as AWS does: its name and its message.
func (x *exchange) fail(e *keystore.Error) {
	rule := describe.ErrorOf(e.Kind)
	if x.method != nil && x.method.QueryCompatible {
		x.w.Header()["X-Amzn-Query-Error"] = []string{rule.QueryName + ";" + faultOf(rule)}
	}
	x.write(rule.HTTPStatus, x.protocol.failure(rule, e.Message, x.id))
}

// uncached are headers that every answer has: keys and plaintexts are not for
// caches. Their names are as http.Header has them.
func uncached() http.Header {
	return http.Header{
		"Cache-Control": {"no-cache, no-store, must-revalidate, private"},
		"Expires":       {"0"},
		"Pragma":        {"no-cache"},
	}
}

// An answer that net/http cannot buffer, in bytes, is sent before write returns:
// a client may be no slower than patience to take it, since the request keeps its
// place among those in flight.
const (
	bufferedAnswer = 2 << 10
	patience       = 15 * time.Second
)

// write writes a whole answer.
func (x *exchange) write(status int, body []byte) {
	own := [...]string{x.id, strconv.Itoa(len(body))}
	header := x.w.Header()
	maps.Copy(header, x.uncached)
	header["X-Amzn-Requestid"], header["Content-Length"] = own[:1:1], own[1:]
	x.protocol.mark(header, x.method)
	if len(body) > bufferedAnswer {
		_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(patience)) // its connection is gone if that fails
	}
	x.w.WriteHeader(status)
	if _, err := x.w.Write(body); err != nil {
		x.log.Debug("the client has not taken its answer", "request_id", x.id, "error", err)
	}
}
