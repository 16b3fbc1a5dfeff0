package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/server"
)

const (
	keyID  = "11111111-2222-3333-4444-555555555555"
	keyARN = "arn:aws:kms:us-east-1:000000000000:key/" + keyID
)

// everyPage are the addresses of all pages.
func everyPage() []string {
	return []string{"/", "/keys", "/keys?q=bill&state=Enabled", "/keys/" + keyID, "/key-stores", "/hsms", "/hsms/hsm-a", "/events", "/requests/r-1", "/hsm-log", "/alarms"}
}

// planted is what somebody may write into all that others write.
const planted = `<img src=x onerror="alert(1)">'"</script>`

// inhabited answers with a bit of everything; text is what others have written.
func (f *fixture) inhabited(text string) *fixture {
	day := timestamppb.New(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	for method, answer := range map[string]proto.Message{
		"ListKeys":    &kmsv1.ListKeysResponse{Keys: []*kmsv1.KeyListEntry{{KeyId: new(keyID)}}, Truncated: new(true), NextMarker: new("more")},
		"ListAliases": &kmsv1.ListAliasesResponse{Aliases: []*kmsv1.AliasListEntry{{AliasName: new("alias/bill" + text), TargetKeyId: new(keyID)}}},
		"DescribeKey": &kmsv1.DescribeKeyResponse{KeyMetadata: &kmsv1.KeyMetadata{
			KeyId: new(keyID), Arn: new(keyARN), Description: &text, KeyState: kmsv1.KeyState_KEY_STATE_ENABLED.Enum(), CreationDate: day, DeletionDate: day,
			KeySpec: kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT.Enum(),
		}},
		"GetKeyPolicy":     &kmsv1.GetKeyPolicyResponse{Policy: new(`{"Id":"` + strings.ReplaceAll(text, `"`, `\"`) + `","Statement":[]}`)},
		"ListResourceTags": &kmsv1.ListResourceTagsResponse{Tags: []*kmsv1.Tag{{TagKey: new("k" + text), TagValue: &text}}},
		"ListGrants": &kmsv1.ListGrantsResponse{Grants: []*kmsv1.GrantListEntry{{
			GrantId: new("g-1"), Name: &text, GranteePrincipal: &text, Operations: []kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_DECRYPT},
			Constraints: &kmsv1.GrantConstraints{EncryptionContextSubset: map[string]string{text: text}}, CreationDate: day,
		}}},
		"ListKeyRotations":     &kmsv1.ListKeyRotationsResponse{Rotations: []*kmsv1.RotationsListEntry{{RotationDate: day, KeyMaterialId: new("m-1"), RotationType: kmsv1.RotationType_ROTATION_TYPE_ON_DEMAND.Enum()}}},
		"GetKeyRotationStatus": &kmsv1.GetKeyRotationStatusResponse{KeyRotationEnabled: new(true), RotationPeriodInDays: new(int32(365)), NextRotationDate: day},
		"GetKeyLastUsage":      &kmsv1.GetKeyLastUsageResponse{KeyLastUsage: &kmsv1.KeyLastUsageData{Timestamp: day, KmsRequestId: new("r-1")}},
		"DescribeCustomKeyStores": &kmsv1.DescribeCustomKeyStoresResponse{CustomKeyStores: []*kmsv1.CustomKeyStoresListEntry{{
			CustomKeyStoreId: new("cks-1"), CustomKeyStoreName: &text, ConnectionState: kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_FAILED.Enum(),
			ConnectionErrorCode: kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INVALID_CREDENTIALS.Enum(),
		}}, NextMarker: new("more")},
		"DescribeHsms": &operatorv1.DescribeHsmsResponse{Hsms: []*operatorv1.HsmDescription{{
			HsmId: new("hsm-a"), ClusterId: new("cluster-a"), TokenLabel: &text, State: operatorv1.HsmState_HSM_STATE_STOPPED.Enum(), Reason: &text, Warning: &text,
		}}},
		"DescribeClusters": &cloudhsmv1.DescribeClustersResponse{Clusters: []*cloudhsmv1.Cluster{{ClusterId: new("cluster-a"), State: cloudhsmv1.ClusterState_CLUSTER_STATE_DEGRADED.Enum(), StateMessage: &text}}},
		"DescribeAudit": &operatorv1.DescribeAuditResponse{
			JournalId: new("0a0b"), HeadSequence: new(uint64(1234)), HeadHash: new("ff"), JournalBytes: new(uint64(3 << 20)),
			Sinks: []*operatorv1.AuditSink{{Name: new("s3"), LastError: &text}}, Digests: []*operatorv1.AuditDigest{{Region: new("us-east-1"), EndTime: day}},
		},
		"DescribeAlarms": &operatorv1.DescribeAlarmsResponse{Alarms: []*operatorv1.AlarmDescription{
			{Name: new("QuietAlarm"), Severity: new("info"), Summary: &text, Action: &text, Condition: &text, State: operatorv1.AlarmState_ALARM_STATE_OK.Enum()},
			{Name: new("LoudAlarm"), Severity: new("critical"), Summary: &text, Action: &text, Condition: &text, State: operatorv1.AlarmState_ALARM_STATE_FIRING.Enum(), Since: day,
				Subjects: []*operatorv1.AlarmSubject{{Labels: []*operatorv1.MetricDimension{{Name: new("hsm_id"), Value: &text}}, Value: new(1.5), State: operatorv1.AlarmState_ALARM_STATE_FIRING.Enum(), Since: day}}},
		}},
		"SearchEvents": &operatorv1.SearchEventsResponse{Events: []*operatorv1.StreamEventsResponse{{Sequence: new(uint64(7)), EventJson: new(eventJSON(text))}}, NextToken: new("more")},
		"SearchHsmLog": &operatorv1.SearchHsmLogResponse{Entries: []*operatorv1.StreamHsmLogResponse{{
			Sequence: new(uint64(6)), HsmId: new("hsm-a"), Text: &text,
			EntryJson: new(`{"time":"2026-11-23T12:00:00.5Z","opcode":"CN_LOGIN","rv":160,"returnCode":"CKR_PIN_INCORRECT","keyLabel":` + quoted(text) + `,"requestID":"r-1"}`),
		}}, NextToken: new("more")},
	} {
		f.answers[method] = answer
	}
	f.follow = metricsOf(text)
	return f
}

func eventJSON(text string) string {
	return `{"eventTime":"2026-11-23T12:00:00Z","eventName":"Decrypt","eventSource":"kms.amazonaws.com","awsRegion":"us-east-1","userIdentity":{"arn":` + quoted(text) +
		`},"userAgent":` + quoted(text) + `,"errorCode":"AccessDeniedException","errorMessage":` + quoted(text) + `,"requestID":"r-1","resources":[{"ARN":"` + keyARN + `"},{"ARN":` + quoted(text) + `}]}`
}

func quoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` }

// metricsOf streams a sample, and waits until nobody wants more.
func metricsOf(name string) func(context.Context, server.StreamRequest) *keystore.Error {
	return func(ctx context.Context, r server.StreamRequest) *keystore.Error {
		series := func(namespace, metric, hsm string) *operatorv1.MetricSeries {
			return &operatorv1.MetricSeries{Namespace: &namespace, Name: &metric, Unit: new("Count"), Dimensions: []*operatorv1.MetricDimension{{Name: new("HsmId"), Value: &hsm}}}
		}
		if err := r.Send(&operatorv1.StreamMetricsResponse{Sample: &operatorv1.MetricSample{Time: timestamppb.Now(), Values: []*operatorv1.MetricValue{
			{Series: series("AWS/CloudHSM", "HsmSessionCount", "hsm-a"), Value: new(1234.0)}, {Series: series("AWS/CloudHSM", name, name), Value: new(1.0)},
		}}}); err != nil {
			return keystore.AsError(err)
		}
		<-ctx.Done()
		return nil
	}
}

// What others have written is text wherever it is shown.
func TestWhatOthersHaveWrittenIsText(t *testing.T) {
	f := newFixture(t).signIn().inhabited(planted)
	f.errs["GetKeyLastUsage"] = &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, Message: planted}
	f.trouble = errFull
	for _, page := range append(everyPage(), "/keys?q=%3Cimg+src%3Dx+onerror%3D%22alert(1)%22%3E'%22%3C/script%3E", "/events?name=%3Cimg+src%3Dx%3E%22&from=%3Cimg+src%3Dx%3E", "/requests/%3Cimg%20src=x%3E", "/hsms/%3Cimg%20src=x%3E", "/keys/%3Cimg%20src=x%3E") {
		w := f.get(page, nil)
		if body := w.Body.String(); strings.Contains(body, "<img") || strings.Contains(body, `onerror="`) || strings.Count(body, "<script") != 2 {
			t.Errorf("%s is\n%s", page, body)
		}
	}
	w := httptest.NewRecorder()
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, origin+"/streams/events", http.NoBody)
	r.AddCookie(f.cookie)
	f.follow = func(_ context.Context, r server.StreamRequest) *keystore.Error {
		defer cancel()
		return keystore.AsError(r.Send(&operatorv1.StreamEventsResponse{EventJson: new(eventJSON(planted + `\n\ndata: x`))}))
	}
	f.console.ServeHTTP(w, r)
	if body := w.Body.String(); strings.Contains(body, "<img") || strings.Count(body, "\n\n") != strings.Count(body, "event: ") {
		t.Errorf("the stream is\n%s", body)
	}
}

// Each answer, whoever gets it, tells browsers to load and run nothing of others.
func TestHeadersOfEveryAnswer(t *testing.T) {
	signed, stranger := newFixture(t).signIn().inhabited("x"), newFixture(t)
	paths := append(everyPage(), "/sign-in", "/sign-in?link=x", "/static/console.js", "/static/none", "/static/", "/no/such/page", "/streams/metrics")
	check := func(who, path string, w *httptest.ResponseRecorder) {
		for header, want := range map[string]string{
			"Content-Security-Policy":      contentPolicy,
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cache-Control":                "no-store",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
		} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s, %s: %s is %q", path, who, header, got)
			}
		}
		if body := w.Body.String(); strings.Contains(body, "<style") || strings.Contains(body, " style=") || strings.Contains(body, " onclick=") || strings.Contains(body, "https://") && strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s, %s: the page has something of its own, or of others:\n%s", path, who, body)
		}
	}
	for _, path := range paths {
		if !strings.HasPrefix(path, "/streams") {
			check("signed in", path, signed.get(path, nil))
		}
		check("a stranger", path, stranger.get(path, nil))
	}
	check("another host", "/", stranger.get("/", func(r *http.Request) { r.Host = "evil.example" }))
	check("a POST", "/keys", stranger.post("/keys", nil, nil))
}

// Whoever is not signed in gets nothing but the sign-in page and what it looks like.
func TestStrangersSeeNothing(t *testing.T) {
	f := newFixture(t).inhabited("x")
	for _, page := range append(everyPage(), "/streams/metrics", "/streams/events", "/streams/hsm-log", "/no/such/page") {
		w := f.get(page, nil)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", page, w.Code)
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("strangers have asked for %v", f.asked)
	}
}

// Every part of a page that cannot be had says why, and what is missing.
func TestWhatCannotBeHad(t *testing.T) {
	for name, test := range map[string]struct {
		kind   annotationsv1.ErrorKind
		status map[string]int // of pages that are about nothing else
		want   string
	}{
		"denied": {annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED, map[string]int{"/keys": 403, "/keys/" + keyID: 403, "/hsms": 403, "/events": 403, "/alarms": 403}, "Access denied. You may not do"},
		"away":   {annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE, map[string]int{"/keys": 503, "/key-stores": 503}, "Load the page again in a while."},
		"absent": {annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, map[string]int{"/keys/" + keyID: 404}, "NotFoundException. not today"},
	} {
		f := newFixture(t).signIn().inhabited("x")
		for method := range f.answers {
			f.errs[method] = &keystore.Error{Kind: test.kind, Message: "not today"}
		}
		f.follow = nil
		for _, page := range everyPage() {
			w := f.get(page, nil)
			if words := text(w); !strings.Contains(words, test.want) || !strings.Contains(words, "user/alice") {
				t.Errorf("%s, %s: %s", name, page, words)
			}
			if want, ok := test.status[page]; ok && w.Code != want {
				t.Errorf("%s, %s: %d, want %d", name, page, w.Code, want)
			}
		}
	}
}

// Who may not do something reads which action it takes.
func TestTheMissingActionIsNamed(t *testing.T) {
	f := newFixture(t).signIn().inhabited("x")
	for method, about := range map[string]struct{ page, action string }{
		"ListKeys":                {"/keys", "kms:ListKeys"},
		"DescribeKey":             {"/keys", "kms:DescribeKey"},
		"GetKeyPolicy":            {"/keys/" + keyID, "kms:GetKeyPolicy"},
		"ListGrants":              {"/keys/" + keyID, "kms:ListGrants"},
		"SearchEvents":            {"/keys/" + keyID, "strongroom:SearchEvents"},
		"SearchHsmLog":            {"/requests/r-1", "strongroom:SearchHsmLog"},
		"DescribeHsms":            {"/", "strongroom:DescribeHsms"},
		"DescribeClusters":        {"/", "cloudhsm:DescribeClusters"},
		"DescribeAudit":           {"/", "strongroom:DescribeAudit"},
		"DescribeAlarms":          {"/", "strongroom:DescribeAlarms"},
		"DescribeCustomKeyStores": {"/key-stores", "kms:DescribeCustomKeyStores"},
	} {
		f.errs[method] = &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED, Message: "no"}
		if words := text(f.get(about.page, nil)); !strings.Contains(words, about.action) {
			t.Errorf("%s without %s: %s", about.page, about.action, words)
		}
		delete(f.errs, method)
	}
}

// A server that has nothing yet says what to do.
func TestEmptyPages(t *testing.T) {
	f := newFixture(t).signIn()
	f.answers["DescribeKey"] = &kmsv1.DescribeKeyResponse{KeyMetadata: &kmsv1.KeyMetadata{KeyId: new(keyID)}}
	for page, want := range map[string]string{
		"/":                "No HSM is known yet.",
		"/keys":            "There are no keys in us-east-1 yet. strongroom key create makes one.",
		"/keys?state=Dead": "There are no keys in us-east-1 yet.",
		"/keys/" + keyID:   "strongroom alias create gives it a name",
		"/key-stores":      "strongroom key-store create makes one",
		"/hsms":            "No HSM is known yet.",
		"/hsms/hsm-z":      "There is no such HSM",
		"/events":          "There are no such events.",
		"/requests/r-9":    "No event has this request id.",
		"/hsm-log":         "There are no such entries.",
		"/alarms":          "This server evaluates no alarms.",
		"/no/such/page":    "Go to the overview",
	} {
		if words := text(f.get(page, nil)); !strings.Contains(words, want) {
			t.Errorf("%s has no %q: %s", page, want, words)
		}
	}
}

// What a page shows of what was answered.
func TestInhabitedPages(t *testing.T) {
	f := newFixture(t).signIn().inhabited("of others")
	for page, wants := range map[string][]string{
		"/":                {"1,234", "3.0 MiB", "0 of 1", "LoudAlarm", "cluster-a DEGRADED of others", "2026-11-23 12:00:00 UTC"},
		"/keys":            {keyID, "alias/billof others", "Enabled", "Next keys"},
		"/keys/" + keyID:   {"alias/billof others", keyARN, `"Statement": []`, "g-1", "of others=of others", "every 365 days", "ON_DEMAND", "Decrypt", "This key will be deleted"},
		"/key-stores":      {"INVALID_CREDENTIALS", "What to do:", "strongroom key-store update --password-file", "Next key stores"},
		"/hsms":            {"hsm-a", "STOPPED", "strongroom hsm unlock-check --hsm-id hsm-a"},
		"/hsms/hsm-a":      {"hsm-a", "CKR_DEVICE_ERROR 3", "C_Encrypt CKM_AES_GCM CKR_OK 1,234", "CN_LOGIN"},
		"/events":          {"Decrypt", "AccessDeniedException", "2026-11-23 12:00:00 UTC", "Older events"},
		"/requests/r-1":    {"Decrypt", `"eventName": "Decrypt"`, "CN_LOGIN", "CKR_PIN_INCORRECT", "of others"},
		"/hsm-log":         {"CN_LOGIN", "CKR_PIN_INCORRECT", "2026-11-23 12:00:00.5 UTC", "Older entries"},
		"/alarms":          {"LoudAlarm FIRING critical", "hsm_id of others", "1.5", "QuietAlarm OK info"},
		"/keys?q=" + keyID: {keyID, "Enabled"},
	} {
		words := text(f.get(page, nil))
		for _, want := range wants {
			if !strings.Contains(words, want) {
				t.Errorf("%s has no %q: %s", page, want, words)
			}
		}
	}
	if words := text(f.get("/alarms", nil)); strings.Index(words, "LoudAlarm") > strings.Index(words, "QuietAlarm") {
		t.Error("an alarm that fires comes after one that is quiet")
	}
}

// Each state and each connection error code of a key store has words of its own.
func TestAdviceOnKeyStores(t *testing.T) {
	seen := map[advice]kmsv1.ConnectionErrorCodeType{}
	for _, code := range []kmsv1.ConnectionErrorCodeType{
		kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INVALID_CREDENTIALS, kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_LOCKED_OUT,
		kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_NOT_FOUND, kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_LOGGED_IN,
		kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_CLUSTER_NOT_FOUND, kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INSUFFICIENT_CLOUDHSM_HSMS,
		kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_NETWORK_ERRORS, kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INTERNAL_ERROR,
		kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_XKS_PROXY_TIMED_OUT, // any that is never given
	} {
		a := adviceOn(&kmsv1.CustomKeyStoresListEntry{ConnectionState: kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_FAILED.Enum(), ConnectionErrorCode: &code})
		if other, twice := seen[a]; twice || a.Means == "" || a.Do == "" {
			t.Errorf("%v has the advice %+v, as %v", code, a, other)
		}
		seen[a] = code
	}
}

// The trouble of the server is on every page, and strangers hear that there is some.
func TestTroubleIsTold(t *testing.T) {
	f := newFixture(t).signIn().inhabited("x")
	f.trouble = errFull
	for _, page := range everyPage() {
		if words := text(f.get(page, nil)); !strings.Contains(words, "Requests cannot be answered. "+errFull.Error()) {
			t.Errorf("%s: %s", page, words)
		}
	}
	f.cookie = nil
	if words := text(f.get("/", nil)); !strings.Contains(words, "The server is not ready") || strings.Contains(words, errFull.Error()) {
		t.Errorf("a stranger reads %s", words)
	}
}
