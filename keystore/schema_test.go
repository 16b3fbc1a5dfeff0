package keystore

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/strongroom-kms/strongroom/audit"
)

// eventSchema is the schema that is made from CloudTrail's published fields.
func eventSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("../docs/formats/cloudtrail-event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("event.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("event.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validateEvent returns why an event is not one of CloudTrail's.
func validateEvent(schema *jsonschema.Schema, event []byte) error {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(event))
	if err != nil {
		return err
	}
	return schema.Validate(parsed)
}

// expectValidEvents expects that all events of a service that has stopped are as
// the schema says. A journal that a test has spoiled is not looked at.
func (s *service) expectValidEvents() {
	trail, _, err := openTrail(s.path("journal"))
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	schema := eventSchema(s.t)
	for e, err := range trail.Events(ctx, audit.Query{}) {
		s.must(err)
		if err := validateEvent(schema, e.JSON); err != nil {
			s.t.Errorf("an event does not match its schema: %v\n%s", err, e.JSON)
		}
	}
	s.must(trail.Close(ctx))
}

// The schema refuses what CloudTrail does not have.
func TestSchemaRefusesOtherEvents(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	schema := eventSchema(t)
	if err := validateEvent(schema, good); err != nil {
		t.Fatalf("the schema refuses a good event: %v", err)
	}
	tests := []struct{ name, old, new string }{
		{"a member that nobody knows", `"readOnly"`, `"secret": "x", "readOnly"`},
		{"a member of the identity that nobody knows", `"type": "IAMUser"`, `"type": "IAMUser", "password": "x"`},
		{"a kind of identity that does not exist", `"IAMUser"`, `"Somebody"`},
		{"another version", `"1.11"`, `"1.10"`},
		{"a time with a fraction", `10:15:30Z`, `10:15:30.5Z`},
		{"a time of another zone", `10:15:30Z`, `10:15:30+01:00`},
		{"an hour that does not exist", `T10:`, `T24:`},
		{"no request id", `"requestID": "11111111-1111-4111-8111-111111111111",`, ``},
		{"an event id that is no UUID", `"22222222-2222-4222-8222-222222222222"`, `"2"`},
		{"parameters that are no object", `"requestParameters": {`, `"requestParameters": "x", "serviceEventDetails": {`},
		{"an answer of what changes nothing", `"responseElements": null`, `"responseElements": {"keyId": "x"}`},
		{"a message without an error", `"readOnly": true`, `"errorMessage": "x", "readOnly": true`},
		{"an error without a name", `"readOnly": true`, `"errorCode": "", "readOnly": true`},
		{"a resource without an ARN", `"ARN"`, `"arn"`},
		{"a resource whose ARN is none", `"arn:aws:kms:us-east-1:000000000000:key/1"`, `"key/1"`},
		{"a type of events that does not exist", `"AwsApiCall"`, `"AwsConsole"`},
		{"a service event without details", `"AwsApiCall"`, `"AwsServiceEvent"`},
		{"an account that is none", `"recipientAccountId": "000000000000"`, `"recipientAccountId": "0"`},
		{"a text over its limit", `"test/1"`, `"` + strings.Repeat("x", 1025) + `"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := strings.Replace(string(good), tt.old, tt.new, 1)
			if bad == string(good) {
				t.Fatalf("the good event has no %s", tt.old)
			}
			if err := validateEvent(schema, []byte(bad)); err == nil {
				t.Errorf("the schema allows\n%s", bad)
			}
		})
	}
}
