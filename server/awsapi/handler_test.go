package awsapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/strongroom-kms/strongroom/server/awsapi"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

// request is a request, which is sent signed unless unsigned says otherwise.
type request struct {
	method, path, target, contentType, body string
	service                                 string // that it is signed for; empty: kms
	smithy                                  string // the header Smithy-Protocol
	unsigned                                bool
	tamper                                  func(*http.Request) // after the signature
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request to a server, as a client of AWS does.
func send(t *testing.T, s *strongroomtest.Server, q request) answer {
	t.Helper()
	at := s.AWS()
	r, err := http.NewRequestWithContext(t.Context(), or(q.method, http.MethodPost), at.URL+or(q.path, "/"), strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", or(q.contentType, "application/x-amz-json-1.1"))
	r.Header.Set("User-Agent", "the-test/1")
	if q.target != "" {
		r.Header.Set("X-Amz-Target", q.target)
	}
	if q.smithy != "" {
		r.Header.Set("Smithy-Protocol", q.smithy)
	}
	if !q.unsigned {
		sum := sha256.Sum256([]byte(q.body))
		credentials := aws.Credentials{AccessKeyID: at.AccessKeyID, SecretAccessKey: at.Secret}
		if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), or(q.service, "kms"), at.Region, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if q.tamper != nil {
		q.tamper(r)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(body)}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// kms sends a request to an operation, which must succeed.
func kms(t *testing.T, s *strongroomtest.Server, operation, body string) map[string]any {
	t.Helper()
	a := send(t, s, request{target: "TrentService." + operation, body: body})
	if a.status != http.StatusOK {
		t.Fatalf("%s: %d %s", operation, a.status, a.body)
	}
	members := map[string]any{}
	if a.body == "" {
		return members
	}
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatalf("%s answers %q: %v", operation, a.body, err)
	}
	return members
}

// Requests that AWS refuses before it knows what is asked, or by whom, have AWS's
// errors and no event.
func TestRequestsThatAreNotTaken(t *testing.T) {
	s := strongroomtest.Start(t)
	const list = "TrentService.ListKeys"
	for name, test := range map[string]struct {
		request request
		status  int
		want    string // part of the body
	}{
		"GET":                       {request{method: http.MethodGet, target: list}, 404, `{"__type":"UnknownOperationException"}`},
		"another path":              {request{path: "/keys", target: list}, 404, `{"__type":"UnknownOperationException"}`},
		"no target":                 {request{body: "{}"}, 404, `{"__type":"UnknownOperationException"}`},
		"an unknown operation":      {request{target: "TrentService.Exfiltrate", body: "{}"}, 404, `{"__type":"UnknownOperationException"}`},
		"another service":           {request{target: "DynamoDB_20120810.ListTables", body: "{}"}, 404, `{"__type":"UnknownOperationException"}`},
		"an operator's operation":   {request{target: "OperatorService.DescribeHsms", body: "{}"}, 404, `{"__type":"UnknownOperationException"}`},
		"another content type":      {request{target: list, contentType: "application/json", body: "{}"}, 404, `{"__type":"UnknownOperationException"}`},
		"no signature":              {request{target: list, body: "{}", unsigned: true}, 400, `"MissingAuthenticationTokenException"`},
		"another body":              {request{target: list, body: "{}", tamper: func(r *http.Request) { replaceBody(r, `{"Limit":1}`) }}, 400, `"InvalidSignatureException"`},
		"another operation":         {request{target: list, body: "{}", tamper: func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.CreateKey") }}, 400, `"InvalidSignatureException"`},
		"a date of another day":     {request{target: list, body: "{}", tamper: func(r *http.Request) { r.Header.Set("X-Amz-Date", "20200101T000000Z") }}, 400, `Signature`},
		"an unknown access key":     {request{target: list, body: "{}", tamper: replaceAuthorization("Credential=test/", "Credential=AKIDUNKNOWN/")}, 400, `"UnrecognizedClientException"`},
		"the scope of another kind": {request{target: list, body: "{}", tamper: replaceAuthorization("/kms/", "/s3/")}, 400, `Credential should be scoped to correct service`},
		"a Region that is not had":  {request{target: list, body: "{}", tamper: replaceAuthorization("/us-east-1/", "/mars-north-1/")}, 400, `Credential should be scoped to a valid region`},
		"too large":                 {request{target: list, body: strings.Repeat(" ", awsapi.MaxRequestBytes+1)}, 413, `"RequestEntityTooLargeException"`},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.Events())
			a := send(t, s, test.request)
			if a.status != test.status || !strings.Contains(a.body, test.want) {
				t.Errorf("got %d %s, want %d %s", a.status, a.body, test.status, test.want)
			}
			if a.header.Get("x-amzn-RequestId") == "" {
				t.Error("the answer has no request id")
			}
			if after := len(s.Events()); after != before {
				t.Errorf("%d events were left", after-before)
			}
		})
	}
}

func replaceBody(r *http.Request, body string) {
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader([]byte(body))), int64(len(body))
	r.GetBody = nil
}

func replaceAuthorization(old, other string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, other, 1))
	}
}

// A request that AWS knows the caller of leaves an event, whatever it is answered.
func TestRequestsThatFailLeaveTheirEvent(t *testing.T) {
	s := strongroomtest.Start(t)
	for name, test := range map[string]struct {
		target, body, code string
		status             int
	}{
		"no JSON":            {"TrentService.ListKeys", "{", "SerializationException", 400},
		"another type":       {"TrentService.DescribeKey", `{"KeyId":7}`, "SerializationException", 400},
		"a missing member":   {"TrentService.DescribeKey", "{}", "ValidationException", 400},
		"an unknown enum":    {"TrentService.CreateKey", `{"KeySpec":"ROT13"}`, "ValidationException", 400},
		"an unknown key":     {"TrentService.DescribeKey", `{"KeyId":"alias/none"}`, "NotFoundException", 400},
		"what is not served": {"TrentService.ReplicateKey", `{"KeyId":"alias/none","ReplicaRegion":"eu-west-1"}`, "UnsupportedOperationException", 400},
	} {
		t.Run(name, func(t *testing.T) {
			a := send(t, s, request{target: test.target, body: test.body})
			if a.status != test.status || !strings.HasPrefix(a.body, `{"__type":"`+test.code+`","message":"`) {
				t.Errorf("got %d %s, want %d %s", a.status, a.body, test.status, test.code)
			}
			events := s.Events()
			e := events[len(events)-1]
			if e.ErrorCode != test.code || e.RequestID != a.header.Get("x-amzn-RequestId") {
				t.Errorf("the event is %s of %s, want %s of %s", e.ErrorCode, e.RequestID, test.code, a.header.Get("x-amzn-RequestId"))
			}
		})
	}
}

func TestAnAnswerIsWhatAWSAnswers(t *testing.T) {
	s := strongroomtest.Start(t)
	created := kms(t, s, "CreateKey", `{"Description":"of a client","Unknown":"ignored","Tags":null}`)["KeyMetadata"].(map[string]any)
	if created["KeyState"] != "Enabled" || created["AWSAccountId"] != "000000000000" || created["Description"] != "of a client" {
		t.Errorf("the key is %v", created)
	}
	if seconds, ok := created["CreationDate"].(float64); !ok || time.Since(time.UnixMilli(int64(seconds*1000))).Abs() > time.Minute {
		t.Errorf("the creation date is %v", created["CreationDate"])
	}
	id := created["KeyId"].(string)
	sealed := kms(t, s, "Encrypt", `{"KeyId":"`+id+`","Plaintext":"aGVsbG8=","EncryptionContext":{"k":"v"}}`)
	opened := kms(t, s, "Decrypt", `{"CiphertextBlob":"`+sealed["CiphertextBlob"].(string)+`","EncryptionContext":{"k":"v"}}`)
	if opened["Plaintext"] != "aGVsbG8=" || opened["KeyId"] != created["Arn"] {
		t.Errorf("decrypted %v", opened)
	}
	a := send(t, s, request{target: "TrentService.DisableKey", body: `{"KeyId":"` + id + `"}`})
	if a.status != http.StatusOK || a.body != "" || a.header.Get("Content-Length") != "0" {
		t.Errorf("DisableKey answers %d %q", a.status, a.body)
	}
	if a := send(t, s, request{target: "TrentService.ListGrants", body: `{"KeyId":"` + id + `"}`}); a.body != `{"Grants":[],"Truncated":false}` {
		t.Errorf("an empty list is answered as %s", a.body)
	}
}

func TestTheEventOfACallNamesItsAccessKey(t *testing.T) {
	s := strongroomtest.Start(t)
	kms(t, s, "ListKeys", "{}")
	events := s.Events()
	var e struct {
		UserIdentity    struct{ ARN, AccessKeyID, Type, UserName string }
		SourceIPAddress string
		UserAgent       string
		TLSDetails      map[string]any
	}
	if err := json.Unmarshal([]byte(events[len(events)-1].JSON), &e); err != nil {
		t.Fatal(err)
	}
	if e.UserIdentity.AccessKeyID != "test" || e.UserIdentity.ARN != s.ARN("admin") || e.UserIdentity.Type != "IAMUser" {
		t.Errorf("the identity is %+v", e.UserIdentity)
	}
	if e.SourceIPAddress != "127.0.0.1" || e.UserAgent != "the-test/1" || e.TLSDetails != nil {
		t.Errorf("the event is %+v", e)
	}
}

// CloudTrail is asked in two ways: the SDKs that Smithy makes leave out the beginning of
// the target.
func TestCloudTrailIsAskedByEitherTarget(t *testing.T) {
	s := strongroomtest.Start(t)
	for _, target := range []string{"CloudTrail_20131101.ListTrails", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListTrails"} {
		a := send(t, s, request{target: target, service: "cloudtrail", body: "{}"})
		if a.status != http.StatusOK || !strings.HasPrefix(a.body, `{"Trails":[`) {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
		all := s.Events()
		if last := all[len(all)-1]; last.EventSource != "cloudtrail.amazonaws.com" || last.EventName != "ListTrails" {
			t.Errorf("%s leaves the event %+v", target, last)
		}
	}
}

// The Region that a request is signed for is the one that it is done in.
func TestARequestIsDoneInTheRegionThatItIsSignedFor(t *testing.T) {
	s := strongroomtest.Start(t, strongroomtest.WithRegions("eu-west-1", "ap-south-1"))
	created := kms(t, s, "CreateKey", "{}")["KeyMetadata"].(map[string]any)
	if arn := created["Arn"].(string); !strings.HasPrefix(arn, "arn:aws:kms:eu-west-1:") {
		t.Errorf("the key is %s", arn)
	}
	at := s.AWS()
	at.Region = "ap-south-1"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at.URL, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.ListKeys")
	sum := sha256.Sum256([]byte("{}"))
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: at.AccessKeyID, SecretAccessKey: at.Secret}, r, hex.EncodeToString(sum[:]), "kms", at.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != `{"Keys":[],"Truncated":false}` {
		t.Errorf("the other Region has %s, %v", body, err)
	}
}
