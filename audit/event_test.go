package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// fullEvent has a value in every field.
func fullEvent() *APIEvent {
	return &APIEvent{
		UserIdentity: UserIdentity{
			Type: "IAMUser", PrincipalID: "AIDA1", ARN: "arn:aws:iam::000000000000:user/alice",
			AccountID: "000000000000", AccessKeyID: "AKIA1", UserName: "alice", InvokedBy: "AWS Internal", CredentialID: "sha256:00ff",
		},
		EventTime: at, EventSource: "kms.amazonaws.com", EventName: "Encrypt", AWSRegion: "us-east-1",
		SourceIPAddress: "192.0.2.1", UserAgent: "grpc-go/1.85", ErrorCode: "DisabledException", ErrorMessage: "key \"k\" is disabled\n",
		RequestParameters:   []byte(`{"keyId":"alias/a","encryptionContext":{"k":"v"}}`),
		ResponseElements:    []byte(`{"keyId":"arn"}`),
		AdditionalEventData: []byte(`{"backingKeyId":"00ff"}`),
		RequestID:           "11111111-1111-4111-8111-111111111111", EventID: "22222222-2222-4222-8222-222222222222",
		ReadOnly: true, Resources: []Resource{
			{AccountID: "000000000000", Type: ResourceTypeKey, ARN: "arn:aws:kms:us-east-1:000000000000:key/1"},
			{AccountID: "000000000000", Type: ResourceTypeKey, ARN: "arn:aws:kms:us-east-1:000000000000:key/2"},
		},
		EventType: EventTypeService, APIVersion: "2014-11-01", RecipientAccountID: "000000000000",
		ServiceEventDetails: []byte(`{"keyId":"1"}`),
		TLSDetails: &TLSDetails{
			TLSVersion: "TLSv1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", ClientProvidedHostHeader: "localhost", KeyExchange: "X25519MLKEM768",
		},
	}
}

func TestEventsAreCloudTrailRecords(t *testing.T) {
	for name, e := range map[string]*APIEvent{"event_full.json": fullEvent(), "event_least.json": {EventTime: at}} {
		var pretty bytes.Buffer
		must(t, json.Indent(&pretty, e.AppendJSON(nil), "", "  "))
		pretty.WriteByte('\n')
		golden(t, name, pretty.Bytes())
	}
}

func TestEventLimits(t *testing.T) {
	e := fullEvent()
	e.UserAgent = strings.Repeat("é", maxEventString)
	e.ErrorMessage = strings.Repeat("x", maxEventString+1)
	e.ResponseElements = []byte(`{"long":"` + strings.Repeat("x", maxParameters) + `"}`)
	e.AdditionalEventData = []byte(`{"long":"` + strings.Repeat("x", maxAdditional) + `"}`)
	var got struct {
		UserAgent, ErrorMessage                                  string
		RequestParameters, ResponseElements, AdditionalEventData map[string]any
	}
	must(t, json.Unmarshal(e.AppendJSON(nil), &got))
	if got.UserAgent != e.UserAgent[:maxEventString] || got.ErrorMessage != e.ErrorMessage[:maxEventString] {
		t.Errorf("user agent of %d bytes, error message of %d", len(got.UserAgent), len(got.ErrorMessage))
	}
	want := map[string]any{"omitted": true, "originalSize": float64(len(e.ResponseElements))}
	if diff := cmp.Diff(want, got.ResponseElements); diff != "" {
		t.Errorf("responseElements (-want +got):\n%s", diff)
	}
	if got.AdditionalEventData["omitted"] != true || got.RequestParameters["keyId"] != "alias/a" {
		t.Errorf("additionalEventData %v, requestParameters %v", got.AdditionalEventData, got.RequestParameters)
	}
}

func TestWholeEventIsLimited(t *testing.T) {
	e := fullEvent()
	long := []byte(`{"long":"` + strings.Repeat("x", maxParameters-11) + `"}`)
	e.RequestParameters, e.ResponseElements, e.ServiceEventDetails = long, long, long
	got := e.AppendJSON([]byte("before"))
	if len(got) > maxEvent || !json.Valid(got[len("before"):]) {
		t.Errorf("event of %d bytes, valid: %v", len(got), json.Valid(got[len("before"):]))
	}
}

func FuzzEventStrings(f *testing.F) {
	f.Add("plain", `{"a":1}`)
	f.Add("\"\\\n\x00\xff\u2028", `null`)
	f.Add(strings.Repeat("é", 600), `{}`)
	f.Fuzz(func(t *testing.T, s, params string) {
		if !json.Valid([]byte(params)) {
			return
		}
		e := fullEvent()
		e.ErrorMessage, e.UserIdentity.UserName, e.RequestParameters = s, s, []byte(params)
		var got struct{ ErrorMessage string }
		must(t, json.Unmarshal(e.AppendJSON(nil), &got))
		if utf8.ValidString(s) && got.ErrorMessage != cut(s, maxEventString) {
			t.Errorf("error message %q became %q", s, got.ErrorMessage)
		}
	})
}
