package awsapi

import (
	"errors"
	"mime"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/awsjson"
)

// protocol is one of the ways in which AWS's clients write requests and read answers.
type protocol interface {
	// route finds the operation that a request is to.
	route(api *describe.API, r *http.Request) (*describe.Method, *keystore.Error)
	// decode reads a request's members.
	decode(plan *describe.Message, body []byte, into proto.Message) error
	// appendAnswer appends an answer with members; empty is one without any that has a body.
	appendAnswer(dst []byte, plan *describe.Message, msg proto.Message) []byte
	empty() []byte
	// failure is the body of an error.
	failure(rule describe.ErrorRule, message, requestID string) []byte
	// mark sets the headers by which an answer is known, of an operation or, if it is nil,
	// of none.
	mark(header http.Header, m *describe.Method)
}

// protocolOf is the protocol of a request. What is none of them is answered in JSON.
func (h *handler) protocolOf(r *http.Request) protocol {
	switch {
	case r.Header.Get(smithyProtocol) == rpcV2CBOR:
		return h.cbor
	case strings.HasPrefix(r.Header.Get("Content-Type"), formType):
		return queryProtocol{}
	}
	return jsonProtocol{}
}

func errUnknownOperation(message string) *keystore.Error {
	return &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION, Message: message}
}

// errUnreadable is the error of a body that a codec has not read: unless that is our own
// fault, the text is for the client.
func errUnreadable[Refusal interface {
	comparable
	error
}](err error) error {
	if refused, ok := errors.AsType[Refusal](err); ok {
		return &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_SERIALIZATION, Message: refused.Error()}
	}
	if err != nil {
		return keystore.AsError(err)
	}
	return nil
}

// jsonProtocol is AWS JSON 1.0 and 1.1, of which a service has one.
type jsonProtocol struct{}

// jsonType is what begins the content type of a service's requests and answers in JSON;
// the protocol's version ends it.
const jsonType = "application/x-amz-json-"

func (jsonProtocol) route(api *describe.API, r *http.Request) (*describe.Method, *keystore.Error) {
	if r.Method == http.MethodPost && r.URL.Path == "/" {
		m := api.Target(r.Header.Get("X-Amz-Target"))
		if m != nil && isJSON(r.Header.Get("Content-Type"), m) {
			return m, nil
		}
	}
	return nil, errUnknownOperation("")
}

// isJSON says whether a header has the service's content type. Most have it as it is,
// which is a tenth of the work.
func isJSON(header string, m *describe.Method) bool {
	if version, ok := strings.CutPrefix(header, jsonType); ok && version == m.JSONVersion {
		return true
	}
	t, _, err := mime.ParseMediaType(header)
	return err == nil && t == jsonType+m.JSONVersion
}

func (jsonProtocol) decode(plan *describe.Message, body []byte, into proto.Message) error {
	return errUnreadable[*awsjson.Error](awsjson.Decode(plan, body, into))
}

func (jsonProtocol) appendAnswer(dst []byte, plan *describe.Message, msg proto.Message) []byte {
	return awsjson.Append(dst, plan, msg)
}

func (jsonProtocol) empty() []byte { return []byte("{}") }

func (jsonProtocol) failure(rule describe.ErrorRule, message, _ string) []byte {
	body := jsonenc.AppendString([]byte(`{"__type":`), rule.Name)
	if message != "" {
		body = jsonenc.AppendString(append(body, `,"message":`...), message)
	}
	return append(body, '}')
}

func (jsonProtocol) mark(header http.Header, m *describe.Method) {
	version := "1.1"
	if m != nil {
		version = m.JSONVersion
	}
	header["Content-Type"] = []string{jsonType + version}
}
