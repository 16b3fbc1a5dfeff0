package awsapi_test

import (
	"net/http"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/strongroom-kms/strongroom/strongroomtest"
)

// inCBOR is a request in Smithy RPC v2 CBOR.
func inCBOR(t *testing.T, path string, members any) request {
	t.Helper()
	body, err := cbor.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return request{path: path, contentType: "application/cbor", body: string(body), smithy: "rpc-v2-cbor"}
}

// cborAnswer reads an answer, which is marked as one.
func cborAnswer(t *testing.T, a answer) map[string]any {
	t.Helper()
	if a.header.Get("Smithy-Protocol") != "rpc-v2-cbor" || a.header.Get("Content-Type") != "application/cbor" || a.header.Get("x-amzn-RequestId") == "" {
		t.Errorf("the answer has the headers %v", a.header)
	}
	members := map[string]any{}
	if err := cbor.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	return members
}

// Every service is reached by CBOR, as by JSON.
func TestRequestsInCBOR(t *testing.T) {
	s := strongroomtest.Start(t)
	const kms = "/service/TrentService/operation/"
	call := func(operation string, members map[string]any) map[string]any {
		a := send(t, s, inCBOR(t, kms+operation, members))
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %q", operation, a.status, a.body)
		}
		return cborAnswer(t, a)
	}
	created := call("CreateKey", map[string]any{"Description": "of a client", "Tags": nil})["KeyMetadata"].(map[any]any)
	sealed := call("Encrypt", map[string]any{"KeyId": created["KeyId"], "Plaintext": []byte("hello"), "EncryptionContext": map[string]string{"k": "v"}})
	opened := call("Decrypt", map[string]any{"CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": map[string]string{"k": "v"}})
	if string(opened["Plaintext"].([]byte)) != "hello" || opened["KeyId"] != created["Arn"] {
		t.Errorf("decrypted %v", opened)
	}
	listed := send(t, s, request{path: "/service/CloudTrail_20131101/operation/ListTrails", service: "cloudtrail", smithy: "rpc-v2-cbor", contentType: "application/cbor; charset=x"})
	if trails := cborAnswer(t, listed)["Trails"].([]any); len(trails) != 1 {
		t.Errorf("without a body: %v", trails)
	}
	disabled := send(t, s, inCBOR(t, kms+"DisableKey", map[string]any{"KeyId": created["KeyId"]}))
	if disabled.status != http.StatusOK || disabled.body != "" || disabled.header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
		t.Errorf("DisableKey answers %d %q", disabled.status, disabled.body)
	}
}

// Errors come in the protocol of their request; of a service that had the Query protocol,
// with their name there.
func TestErrorsInCBOR(t *testing.T) {
	s := strongroomtest.Start(t)
	const metrics = "/service/GraniteServiceVersion20100801/operation/"
	with := func(q request, change func(*request)) request {
		change(&q)
		return q
	}
	none := inCBOR(t, metrics+"ListMetrics", map[string]any{})
	none.service = "monitoring"
	for name, test := range map[string]struct {
		request    request
		status     int
		kind, code string
	}{
		"an unknown operation": {inCBOR(t, metrics+"PutMetricData", map[string]any{}), 404, "UnknownOperationException", ""},
		"an unknown service":   {inCBOR(t, "/service/DynamoDB_20120810/operation/ListTables", map[string]any{}), 404, "UnknownOperationException", ""},
		"the path of JSON":     {inCBOR(t, "/", map[string]any{}), 404, "UnknownOperationException", ""},
		"GET":                  {with(none, func(q *request) { q.method = http.MethodGet }), 404, "UnknownOperationException", ""},
		"a target as well":     {with(none, func(q *request) { q.target = "GraniteServiceVersion20100801.ListMetrics" }), 404, "UnknownOperationException", ""},
		"JSON's content type":  {with(none, func(q *request) { q.contentType = "application/json" }), 404, "UnknownOperationException", ""},
		"no signature":         {with(none, func(q *request) { q.unsigned = true }), 400, "MissingAuthenticationTokenException", "MissingAuthenticationToken;Sender"},
		"another service's":    {with(none, func(q *request) { q.service = "kms" }), 400, "InvalidSignatureException", "SignatureDoesNotMatch;Sender"},
		"no CBOR":              {with(none, func(q *request) { q.body = "{}" }), 400, "SerializationException", "SerializationException;Sender"},
		"a wrong type":         {with(inCBOR(t, metrics+"ListMetrics", map[string]any{"Namespace": 7}), func(q *request) { q.service = "monitoring" }), 400, "SerializationException", "SerializationException;Sender"},
		"out of limits":        {with(inCBOR(t, metrics+"ListMetrics", map[string]any{"Namespace": ""}), func(q *request) { q.service = "monitoring" }), 400, "ValidationException", "ValidationError;Sender"},
		"of KMS":               {inCBOR(t, "/service/TrentService/operation/DescribeKey", map[string]any{"KeyId": "alias/none"}), 400, "NotFoundException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := send(t, s, test.request)
			e := cborAnswer(t, a)
			if a.status != test.status || e["__type"] != test.kind || a.header.Get("x-amzn-query-error") != test.code {
				t.Errorf("got %d %v %q, want %d %s %q", a.status, e, a.header.Get("x-amzn-query-error"), test.status, test.kind, test.code)
			}
			if known := test.status != 404; known != (e["message"] != nil) {
				t.Errorf("its message is %v", e["message"])
			}
		})
	}
}

// CloudWatch has JSON 1.0, too, and its errors their names in the Query protocol.
func TestCloudWatchInJSON(t *testing.T) {
	s := strongroomtest.Start(t)
	q := request{target: "GraniteServiceVersion20100801.ListMetrics", contentType: "application/x-amz-json-1.0", service: "monitoring", body: `{"Namespace":""}`}
	a := send(t, s, q)
	if a.status != 400 || a.header.Get("x-amzn-query-error") != "ValidationError;Sender" || a.header.Get("Content-Type") != q.contentType {
		t.Errorf("got %d %s %v", a.status, a.body, a.header)
	}
	q.contentType = "application/x-amz-json-1.1"
	if a := send(t, s, q); a.status != 404 {
		t.Errorf("as JSON 1.1: %d %s", a.status, a.body)
	}
}

// Clients of the Query protocol can read why they are not served.
func TestTheQueryProtocolIsRefused(t *testing.T) {
	s := strongroomtest.Start(t)
	a := send(t, s, request{contentType: "application/x-www-form-urlencoded; charset=utf-8", service: "monitoring", body: "Action=ListMetrics&Version=2010-08-01"})
	want := `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>AWS&#39;s Query protocol is not served.` +
		` CloudWatch is served in Smithy RPC v2 CBOR and in AWS JSON 1.0, which newer versions of AWS&#39;s clients choose by themselves.</Message></Error>` +
		`<RequestId>` + a.header.Get("x-amzn-RequestId") + `</RequestId></ErrorResponse>`
	if a.status != 404 || a.header.Get("Content-Type") != "text/xml" || a.body != want {
		t.Errorf("got %d %v\n%s\nwant\n%s", a.status, a.header, a.body, want)
	}
}
