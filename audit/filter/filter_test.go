package filter

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit/index"
)

const event = `{"eventName":"ScheduleKeyDeletion","readOnly":false,"requestID":"r-1","userIdentity":{"arn":"arn:aws:iam::1:user/alice","userName":"alice"},
	"requestParameters":{"pendingWindowInDays":7,"ratio":0.5,"whole":2.0,"huge":18446744073709551615},"responseElements":null,
	"resources":[{"ARN":"arn:aws:kms:eu-1:1:key/k1"},{"ARN":"arn:aws:kms:eu-1:1:key/k2"}]}`

func compile(t testing.TB, kind index.Kind, text string) *Filter {
	t.Helper()
	f, err := Compile(kind, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		`event.eventName == "ScheduleKeyDeletion"`:                         true,
		`event.eventName == "schedulekeydeletion"`:                         false,
		`event.eventName.startsWith("Schedule") && !event.readOnly`:        true,
		`event.eventName.matches("^Schedule.*Deletion$")`:                  true,
		`event["userIdentity"].userName in ["bob", "alice"]`:               true,
		`event.resources.exists(r, r.ARN.endsWith("/k2"))`:                 true,
		`event.resources.all(r, r.ARN.endsWith("/k2"))`:                    false,
		`event.requestParameters.pendingWindowInDays < 8`:                  true,
		`event.requestParameters.pendingWindowInDays == 7`:                 true,
		`event.requestParameters.pendingWindowInDays % 2 == 1`:             true, // an int, not a double
		`event.requestParameters.ratio == 0.5`:                             true,
		`event.requestParameters.whole == 2`:                               true,
		`event.requestParameters.huge > 9223372036854775807`:               true,
		`event.responseElements == null`:                                   true,
		`event.readOnly`:                                                   false,
		`has(event.userIdentity.userName)`:                                 true,
		`has(event.errorCode)`:                                             false,
		`!has(event.errorCode)`:                                            true,
		`event.errorCode == "x"`:                                           false, // absent: cannot be decided
		`event.errorCode != "x"`:                                           false,
		`event.errorCode == "x" || event.requestID == "r-1"`:               true,
		`event.requestID == "r-1" && event.errorCode == "x"`:               false,
		`event.responseElements.keyId == "x"`:                              false,
		`event.resources[7].ARN == "x"`:                                    false,
		`event.eventName > 3`:                                              false,
		`event.requestParameters.pendingWindowInDays / 0 == 1`:             false,
		`timestamp("2026-03-02T10:15:30Z") < timestamp(event.eventName)`:   false,
		"event.eventName\n  .contains(\"Key\") // comments and lines, too": true,
	}
	for text, want := range tests {
		if got, err := compile(t, index.Event, text).Match([]byte(event)); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	entry := compile(t, index.Entry, `entry.rv == 160 && entry.sessionHandle == 18446744073709551615u`)
	if got, err := entry.Match([]byte(`{"rv":160,"sessionHandle":18446744073709551615}`)); err != nil || !got {
		t.Errorf("an entry: %v, %v", got, err)
	}
	for _, record := range []string{``, `[]`, `"x"`, `{"a":`} {
		if _, err := entry.Match([]byte(record)); err == nil {
			t.Errorf("%q was matched", record)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		`event.eventName == `:           `line 1, column 20 (its end): `,
		`evnt.eventName == "x"`:         `line 1, column 1 ("evnt.eventName == \"x"): undeclared reference to 'evnt'`,
		"true &&\n  entry.rv == 1":      `line 2, column 3 ("entry.rv == 1"): undeclared reference to 'entry'`,
		`event.eventName.begins("x")`:   `column 23`,
		`"x"`:                           "is of type string",
		`1 + 1`:                         "is of type int",
		``:                              "line 1, column 1",
		strings.Repeat("x", 5000):       "",
		strings.Repeat("(", 1000):       "",
		strings.Repeat("!", 3000) + "x": "",
		`event.eventName.matches("[")`:  "the regular expression",
		`event.eventName.matches(event.eventSource)`:                                         "constant",
		`event.eventName.matches(".{0,1000}#")`:                                              "too large",
		`event.a.matches("x{90}") && matches(event.b, "y{90}z") || event.c.matches("z{90}")`: "too large",
		strings.Repeat("[1,2].map(x,", 200) + "1" + strings.Repeat(")", 200) + "==[1]":       "",
	}
	for text, want := range tests {
		if _, err := Compile(index.Event, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	if _, err := Compile(3, "true"); err == nil {
		t.Error("there are conditions on records of any kind")
	}
}

// TestTheCostIsBounded has conditions whose loops within loops go over many elements.
func TestTheCostIsBounded(t *testing.T) {
	t.Parallel()
	list := strings.Repeat(`{"ARN":"x"},`, 999) + `{"ARN":"x"}`
	f := compile(t, index.Event, `event.resources.all(a, event.resources.all(b, event.resources.all(c, a.ARN == b.ARN && b.ARN == c.ARN)))`)
	if _, err := f.Match(fmt.Appendf(nil, `{"resources":[%s]}`, list)); !errors.Is(err, ErrCost) {
		t.Errorf("got %v", err)
	}
	if ok, err := f.Match([]byte(event)); ok || err != nil {
		t.Errorf("then %v, %v", ok, err)
	}
}

func TestTerms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind index.Kind
		text string
		want []index.Term
	}{
		{index.Event, `event.eventName == "A"`, []index.Term{{Field: index.EventName, Value: "A"}}},
		{index.Event, `"A" == event.eventName`, []index.Term{{Field: index.EventName, Value: "A"}}},
		{index.Event, `event["eventName"] == "A"`, []index.Term{{Field: index.EventName, Value: "A"}}},
		{index.Event, `event.eventSource == "s" && (event.awsRegion == "r" && event.errorCode == "e") && event.eventTime > "2026"`,
			[]index.Term{{Field: index.EventSource, Value: "s"}, {Field: index.Region, Value: "r"}, {Field: index.ErrorCode, Value: "e"}}},
		{index.Event, `event.userIdentity.arn == "a" && event.userIdentity.userName == "u" && event.userIdentity.accessKeyId == "k"`,
			[]index.Term{{Field: index.Principal, Value: "a"}, {Field: index.UserName, Value: "u"}, {Field: index.AccessKeyID, Value: "k"}}},
		{index.Event, `event.resources[0].ARN == "a" && event.resources[1].type == "t"`, []index.Term{{Field: index.Resource, Value: "a"}, {Field: index.ResourceType, Value: "t"}}},
		{index.Event, `event.readOnly`, []index.Term{index.Flag(index.ReadOnly, true)}},
		{index.Event, `!event.readOnly`, []index.Term{index.Flag(index.ReadOnly, false)}},
		{index.Event, `event.readOnly == false`, []index.Term{index.Flag(index.ReadOnly, false)}},
		{index.Event, `has(event.errorCode)`, []index.Term{index.Flag(index.Failed, true)}},
		{index.Entry, `entry.hsm == "h" && entry.opcode == "o" && entry.keyLabel == "l" && entry.keyID == "i" && entry.requestID == "r" && entry.userName == "u"`,
			[]index.Term{{Field: index.HSM, Value: "h"}, {Field: index.Opcode, Value: "o"}, {Field: index.Key, Value: "l"}, {Field: index.Key, Value: "i"}, {Field: index.RequestID, Value: "r"}, {Field: index.UserName, Value: "u"}}},
		// nothing follows from these
		{index.Event, `event.eventName == "A" || event.eventName == "B"`, nil},
		{index.Event, `!(event.eventName == "A")`, nil},
		{index.Event, `event.eventName != "A"`, nil},
		{index.Event, `event.eventName == ""`, nil},
		{index.Event, `event.eventName == event.requestID`, nil},
		{index.Event, `event.requestParameters.eventName == "A"`, nil},
		{index.Event, `event.resources.exists(event, event.eventName == "A")`, nil},
		{index.Event, `!has(event.readOnly) && has(event.readOnly) == false`, nil},
		{index.Event, `has(event.readOnly)`, nil},
		{index.Event, `(event.eventName == "A") == false`, nil},
		{index.Event, `(event.eventName == "A") ? true : false`, nil},
		{index.Entry, `entry.readOnly`, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, compile(t, tt.kind, tt.text).Terms()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

// TestTermsFollow checks that whatever matches has the terms that were derived.
func TestTermsFollow(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`event.eventName == "ScheduleKeyDeletion" && event.userIdentity.arn == "arn:aws:iam::1:user/alice"`,
		`!event.readOnly && event.resources[1].ARN == "arn:aws:kms:eu-1:1:key/k2"`,
		`event.userIdentity["userName"] == "alice" && event.requestID == "r-1"`,
	} {
		f := compile(t, index.Event, text)
		matches, err := f.Match([]byte(event))
		if err != nil || !matches || len(f.Terms()) != 2 {
			t.Errorf("%s: %v, %v, terms %v", text, matches, err, f.Terms())
		}
		if has, _ := index.NewMatcher(index.Event, f.Terms()).Match([]byte(event)); !has {
			t.Errorf("%s: the event that matches has not the terms %v", text, f.Terms())
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	f := compile(b, index.Event, `event.eventName.startsWith("Schedule") && event.userIdentity.userName != "admin"`)
	for b.Loop() {
		if ok, err := f.Match([]byte(event)); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
