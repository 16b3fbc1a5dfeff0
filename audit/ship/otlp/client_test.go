package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/audit/ship"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fate is what becomes of records.
type fate struct {
	Refused, TooLarge bool
	Later             time.Duration
}

func fateOf(err error) fate {
	f := fate{TooLarge: errors.Is(err, ship.ErrTooLarge)}
	_, f.Refused = errors.AsType[*ship.Refusal](err)
	if later, ok := errors.AsType[*ship.Later](err); ok {
		f.Later = later.After
	}
	return f
}

// Only what a collector says of the records themselves is a refusal.
func TestFatesOverGRPC(t *testing.T) {
	for code, want := range map[codes.Code]fate{
		codes.InvalidArgument: {Refused: true}, codes.ResourceExhausted: {TooLarge: true},
		codes.Unavailable: {}, codes.DeadlineExceeded: {}, codes.Unauthenticated: {}, codes.PermissionDenied: {},
		codes.Unimplemented: {}, codes.Internal: {}, codes.Unknown: {}, codes.DataLoss: {}, codes.Aborted: {},
	} {
		if got := fateOf(grpcFate(status.New(code, "why"))); got != want {
			t.Errorf("%v: %+v, want %+v", code, got, want)
		}
	}
	for _, code := range []codes.Code{codes.ResourceExhausted, codes.Unavailable} {
		s, err := status.New(code, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(7 * time.Second)})
		must(t, err)
		if got, want := fateOf(grpcFate(s)), (fate{Later: 7 * time.Second}); got != want {
			t.Errorf("%v with RetryInfo: %+v, want %+v", code, got, want)
		}
	}
}

// post sends an event over HTTP to a collector that answers so.
func post(t *testing.T, answer http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "headers")
	must(t, os.WriteFile(file, []byte("# of the collector\n\nAuthorization: Bearer a:b\n"), 0o600))
	c, err := New(Options{Endpoint: server.URL, Protocol: HTTP, HeadersFile: file, Journal: journal.ID{1}})
	must(t, err)
	defer func() { must(t, c.Close()) }()
	return c.Send(t.Context(), []audit.Record{event(t)})
}

func TestFatesOverHTTP(t *testing.T) {
	for code, want := range map[int]fate{
		http.StatusOK: {}, http.StatusBadRequest: {Refused: true}, http.StatusUnprocessableEntity: {Refused: true},
		http.StatusRequestEntityTooLarge: {TooLarge: true}, http.StatusUnauthorized: {}, http.StatusNotFound: {},
		http.StatusInternalServerError: {}, http.StatusTemporaryRedirect: {},
		http.StatusTooManyRequests: {Later: 9 * time.Second}, http.StatusServiceUnavailable: {Later: 9 * time.Second},
	} {
		err := post(t, func(w http.ResponseWriter, _ *http.Request) {
			if want.Later > 0 {
				w.Header().Set("Retry-After", "9")
			}
			body, _ := proto.Marshal(&rpcstatus.Status{Message: "why"})
			if code == http.StatusOK {
				body = nil
			}
			w.WriteHeader(code)
			_, _ = w.Write(body)
		})
		if got := fateOf(err); got != want || (err == nil) != (code == http.StatusOK) {
			t.Errorf("%d: %v, %+v, want %+v", code, err, got, want)
		}
	}
}

// What a collector says is quoted in short, and nothing of the headers with it.
func TestACollectorIsQuotedWithoutTheHeaders(t *testing.T) {
	long := strings.Repeat("!", 5000)
	refused := quoted(status.New(codes.InvalidArgument, "not with Bearer secret, nor secret"+long), []Header{{"authorization", "Bearer secret"}, {"x", "!"}})
	for name, err := range map[string]error{
		"over gRPC": grpcFate(refused),
		"over HTTP": post(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := proto.Marshal(&rpcstatus.Status{Message: "not with " + r.Header.Get("Authorization") + ", nor " + long})
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write(body)
		}),
		"of some records": post(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := proto.Marshal(&collector.ExportLogsServiceResponse{PartialSuccess: &collector.ExportLogsPartialSuccess{
				RejectedLogRecords: 1, ErrorMessage: "not with " + r.Header.Get("Authorization") + ", nor " + long,
			}})
			_, _ = w.Write(body)
		}),
	} {
		if got := err.Error(); !strings.Contains(got, "not with ***, nor ") || strings.Contains(got, "secret") || strings.Contains(got, "a:b") || len(got) > 1100 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What arrives over HTTP is the request, compressed, with the headers.
func TestHTTP(t *testing.T) {
	got := &collector.ExportLogsServiceRequest{}
	err := post(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			body, err = unzip(body)
		}
		if err == nil {
			err = proto.Unmarshal(body, got)
		}
		if err != nil || r.URL.Path != "/v1/logs" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("Authorization") != "Bearer a:b" {
			t.Errorf("a request for %s with %v, %v", r.URL, r.Header, err)
		}
		answer, _ := proto.Marshal(&collector.ExportLogsServiceResponse{PartialSuccess: &collector.ExportLogsPartialSuccess{RejectedLogRecords: 1, ErrorMessage: "why"}})
		_, _ = w.Write(answer)
	})
	if refusal, ok := errors.AsType[*ship.Refusal](err); !ok || refusal.Rejected != 1 || refusal.Reason != "why" {
		t.Errorf("partial success: %v", err)
	}
	if n := len(got.GetResourceLogs()[0].GetScopeLogs()[0].GetLogRecords()); n != 1 {
		t.Errorf("%d records arrived", n)
	}
}

func unzip(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestHeaders(t *testing.T) {
	for content, want := range map[string]bool{
		"": true, "A: b": true, "a:b\r\nc: d e\n": true, "# comment\n\nA: b\n": true,
		"no colon": false, ": no name": false, "A:": false, "A b: c": false, "grpc-timeout: 1S": false, "A: \x00": false,
	} {
		file := filepath.Join(t.TempDir(), "headers")
		must(t, os.WriteFile(file, []byte(content), 0o600))
		if _, err := ReadHeaders(file); (err == nil) != want {
			t.Errorf("%q: %v, want it read: %t", content, err, want)
		}
	}
}

func event(t *testing.T) audit.Record {
	t.Helper()
	body, err := os.ReadFile("../../testdata/event_full.json")
	must(t, err)
	var line bytes.Buffer
	must(t, json.Compact(&line, body))
	return audit.Record{Seq: 42, Time: time.Unix(100, 0), Kind: audit.RecordEvent, JSON: line.Bytes()}
}

// record returns what is sent of a record, with its attributes as a map.
func record(t *testing.T, r audit.Record) (*logs.LogRecord, map[string]any) {
	t.Helper()
	e, err := newEncoder(Options{Journal: journal.ID{0xab}, ClusterOf: func(string) string { return "cluster-1" }})
	must(t, err)
	request, err := e.request([]audit.Record{r})
	must(t, err)
	l := request.GetResourceLogs()[0].GetScopeLogs()[0].GetLogRecords()[0]
	attributes := map[string]any{}
	for _, a := range l.GetAttributes() {
		attributes[a.GetKey()] = plain(a.GetValue())
	}
	return l, attributes
}

func plain(v *common.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_IntValue:
		return v.IntValue
	case *common.AnyValue_BoolValue:
		return v.BoolValue
	case *common.AnyValue_ArrayValue:
		var all []any
		for _, e := range v.ArrayValue.GetValues() {
			all = append(all, plain(e))
		}
		return all
	}
	return nil
}

func TestAnEvent(t *testing.T) {
	r := event(t)
	l, got := record(t, r)
	want := map[string]any{
		"log.record.uid": journal.ID{0xab}.String() + "-42", "strongroom.sequence": int64(42),
		"cloud.provider": "aws", "cloud.account.id": "000000000000", "cloud.region": "us-east-1",
		"rpc.system": "aws-api", "rpc.service": "kms.amazonaws.com", "rpc.method": "Encrypt",
		"aws.request_id": "11111111-1111-4111-8111-111111111111", "error.type": "DisabledException",
		"client.address": "192.0.2.1", "user_agent.original": "grpc-go/1.85",
		"user.id": "arn:aws:iam::000000000000:user/alice", "user.name": "alice", "strongroom.access_key_id": "AKIA1",
		"strongroom.event_id": "22222222-2222-4222-8222-222222222222", "strongroom.read_only": true,
		"strongroom.resources": []any{"arn:aws:kms:us-east-1:000000000000:key/1", "arn:aws:kms:us-east-1:000000000000:key/2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if l.GetBody().GetStringValue() != string(r.JSON) || l.GetEventName() != EventName || l.GetSeverityText() != "WARN" || l.GetTimeUnixNano() != 100e9 {
		t.Errorf("record: %v", l)
	}
}

func TestAnHSMEntry(t *testing.T) {
	lines, err := os.ReadFile("../../testdata/hsm_log.jsonl")
	must(t, err)
	line, _, _ := bytes.Cut(lines, []byte("\n"))
	l, got := record(t, audit.Record{Seq: 7, Kind: audit.RecordHSMEntry, JSON: line})
	entry, err := audit.ParseHSMEntry(line)
	must(t, err)
	if l.GetBody().GetStringValue() != string(entry.AppendText(nil)) || l.GetEventName() != EntryName || l.GetSeverityText() != "INFO" {
		t.Errorf("record: %v", l)
	}
	for key, want := range map[string]any{
		"strongroom.sequence": int64(7), "strongroom.hsm.id": "hsm-nwbbiqbj4jk", "strongroom.hsm.sequence_no": int64(26),
		"strongroom.hsm.opcode": "CN_INIT_TOKEN", "strongroom.hsm.json": string(line),
	} {
		if got[key] != want {
			t.Errorf("attribute %s is %v, want %v", key, got[key], want)
		}
	}
	if diff := cmp.Diff([]any{"/aws/cloudhsm/cluster-1"}, got["aws.log.group.names"]); diff != "" {
		t.Errorf("log group (-want +got):\n%s", diff)
	}
}

// TLS is checked against the authority that is named.
func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pemOf(server), 0o600))
	for file, want := range map[string]bool{ca: true, "": false} {
		c, err := New(Options{Endpoint: server.URL, Protocol: HTTP, CA: file})
		must(t, err)
		if err := c.Send(context.Background(), []audit.Record{event(t)}); (err == nil) != want {
			t.Errorf("with the authorities %q: %v", file, err)
		}
		must(t, c.Close())
	}
	if _, err := New(Options{Endpoint: server.URL, Protocol: HTTP, CA: "/dev/null"}); err == nil {
		t.Error("an empty file of authorities was accepted")
	}
}

func pemOf(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}
