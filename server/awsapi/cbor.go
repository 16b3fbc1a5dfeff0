package awsapi

import (
	"mime"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	"github.com/strongroom-kms/strongroom/server/awsapi/awscbor"
)

// The header by which Smithy RPC v2 CBOR is known, and its value; and the content type.
const (
	smithyProtocol = "Smithy-Protocol"
	rpcV2CBOR      = "rpc-v2-cbor"
	cborType       = "application/cbor"
)

// cborProtocol is Smithy RPC v2 CBOR, which every service has.
type cborProtocol struct{ decoder *awscbor.Decoder }

// route finds the operation in the path, /service/NAME/operation/NAME. A request that has
// a target as well could be of two.
func (cborProtocol) route(api *describe.API, r *http.Request) (*describe.Method, *keystore.Error) {
	service, operation, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/service/"), "/operation/")
	m := api.Target(service + "." + operation)
	targeted := r.Header.Get("X-Amz-Target") != "" || r.Header.Get("X-Amzn-Target") != ""
	if !ok || m == nil || targeted || r.Method != http.MethodPost || !isCBOR(r.Header.Get("Content-Type")) {
		return nil, errUnknownOperation("")
	}
	return m, nil
}

// isCBOR says whether a header has the content type, or is that of a request without a
// body.
func isCBOR(header string) bool {
	if header == "" || header == cborType {
		return true
	}
	t, _, err := mime.ParseMediaType(header)
	return err == nil && t == cborType
}

func (p cborProtocol) decode(plan *describe.Message, body []byte, into proto.Message) error {
	return errUnreadable[*awscbor.Error](p.decoder.Decode(plan, body, into))
}

func (cborProtocol) appendAnswer(dst []byte, plan *describe.Message, msg proto.Message) []byte {
	return awscbor.Append(dst, plan, msg)
}

func (cborProtocol) empty() []byte { return []byte{0xa0} }

func (cborProtocol) failure(rule describe.ErrorRule, message, _ string) []byte {
	return awscbor.AppendError(nil, rule.Name, message)
}

func (cborProtocol) mark(header http.Header, _ *describe.Method) {
	header["Content-Type"], header[smithyProtocol] = []string{cborType}, []string{rpcV2CBOR}
}
