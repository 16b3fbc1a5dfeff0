package awsapi

import (
	"encoding/xml"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
)

// formType is the content type of requests of the Query protocol.
const formType = "application/x-www-form-urlencoded"

// saidNoQuery is for clients that were made before CloudWatch had other protocols.
const saidNoQuery = "AWS's Query protocol is not served. CloudWatch is served in Smithy RPC v2 CBOR and in AWS JSON 1.0, which newer versions of AWS's clients choose by themselves."

// queryProtocol is AWS Query, as far as refusing takes it: its clients read the error as
// any other.
type queryProtocol struct{}

// queryError is an error as the Query protocol has it.
type queryError struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	Error   struct {
		Type, Code, Message string
	}
	RequestID string `xml:"RequestId"`
}

func (queryProtocol) route(*describe.API, *http.Request) (*describe.Method, *keystore.Error) {
	return nil, errUnknownOperation(saidNoQuery)
}

func (queryProtocol) failure(rule describe.ErrorRule, message, requestID string) []byte {
	e := queryError{RequestID: requestID}
	e.Error.Type, e.Error.Code, e.Error.Message = faultOf(rule), rule.QueryName, message
	body, _ := xml.Marshal(e) // strings can always be written
	return body
}

func (queryProtocol) mark(header http.Header, _ *describe.Method) {
	header["Content-Type"] = []string{"text/xml"}
}

// Nothing is asked for by Query, so that nothing is read or answered.

func (queryProtocol) decode(*describe.Message, []byte, proto.Message) error { return nil }

func (queryProtocol) appendAnswer(dst []byte, _ *describe.Message, _ proto.Message) []byte {
	return dst
}

func (queryProtocol) empty() []byte { return nil }

// faultOf is whose fault an error is, in words of the Query protocol.
func faultOf(rule describe.ErrorRule) string {
	if rule.ServerFault {
		return "Receiver"
	}
	return "Sender"
}
