package describe_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

func TestServices(t *testing.T) {
	api := compiled(t)
	kms, operator := api.Services()[0], api.Services()[1]
	want := describe.Service{
		FullName:     "strongroom.kms.v1.KeyManagementService",
		TargetPrefix: "TrentService",
		JSONVersion:  "1.1",
		EventSource:  "kms.amazonaws.com",
		IAMPrefix:    "kms",
		SigningName:  "kms",
		APIVersion:   "2014-11-01",
		Methods:      kms.Methods,

		ValidationError: annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
	}
	if kms.Methods[0].Service != kms {
		t.Error("a method has another service than its own")
	}
	if diff := cmp.Diff(want, *kms, cmp.Comparer(func(a, b *describe.Method) bool { return a == b })); diff != "" {
		t.Errorf("KeyManagementService (-want +got):\n%s", diff)
	}
	if operator.TargetPrefix != "" || operator.IAMPrefix != "strongroom" || operator.EventSource != "operator.strongroom" {
		t.Errorf("OperatorService = %+v", operator)
	}
}

// The operator service has no counterpart in AWS: its plan is written down here,
// so that it changes only on purpose.
func TestOperatorOperations(t *testing.T) {
	want := map[string]operation{
		"StreamEvents": {
			in:  "Last: integer 1..1000000; Follow: boolean; Selector: struct EventSelector",
			out: "Sequence: integer; EventJson: string",
		},
		"StreamHsmLog": {
			in:  "HsmId: string 1..64; Last: integer 1..1000000; Follow: boolean; Selector: struct HsmLogSelector",
			out: "Sequence: integer; HsmId: string; Text: string; EntryJson: string",
		},
		"SearchEvents": {
			in:  "Selector: struct EventSelector; NewestFirst: boolean; MaxResults: integer 1..1000; NextToken: string 1..256",
			out: "Events: list<struct StreamEventsResponse>; NextToken: string",
		},
		"SearchHsmLog": {
			in:  "Selector: struct HsmLogSelector; NewestFirst: boolean; MaxResults: integer 1..1000; NextToken: string 1..256",
			out: "Entries: list<struct StreamHsmLogResponse>; NextToken: string",
		},
		"DescribeAudit": {
			out: "JournalId: string; FirstSequence: integer; HeadSequence: integer; HeadHash: string; JournalBytes: integer; IndexLag: integer; " +
				"Digests: list<struct AuditDigest>; Sinks: list<struct AuditSink>; SigningKeys: list<struct AuditSigningKey>",
		},
		"RotateAuditKey": {out: "SigningKey: struct AuditSigningKey"},
		"DescribeHsms": {
			in:  "Capabilities: boolean",
			out: "Hsms: list<struct HsmDescription>",
		},
		"CheckHsmUnlock": {
			in:  "HsmId: string 1..64; CustomKeyStoreId: string 1..64",
			out: "Checks: list<struct HsmUnlockCheck>",
		},
		"ListHsmOrphans": {
			out: "TokenOrphans: list<struct TokenOrphan>; MetadataOrphans: list<struct MetadataOrphan>; SkippedKeyStores: list<string>",
		},
		"Backup": {
			out: "Chunk: blob",
		},
		"SimulatePolicy": {
			in: "Principal*: string 1..2048; Action*: string 1..128 /[a-zA-Z0-9-]+:[a-zA-Z]+/; KeyId: string 1..2048; " +
				"Context: list<struct ConditionValue> 0..64; EncryptionContext: map<string,string>; GrantTokens: list<string> 0..10; " +
				"KeyPolicy: string 1..131072; IdentityPolicies: list<string 1..131072> 0..10",
			out: "Allowed: boolean; Reason: string; DecidedBy: string; Explanation: list<string>",
		},
		"PutPrincipal": {
			in:  "Arn*: string 20..512; Names: list<string 1..2048> 0..32; Policies: list<string 1..128> 0..32",
			out: "Principal: struct Principal",
		},
		"DeletePrincipal":      {in: "Arn*: string 20..512"},
		"ListPrincipals":       {out: "Principals: list<struct Principal>"},
		"PutIdentityPolicy":    {in: "Name*: string 1..128 /[a-zA-Z0-9+=,.@_-]+/; Document*: string 1..131072"},
		"DeleteIdentityPolicy": {in: "Name*: string 1..128"},
		"CreateAccessKey":      {in: "Principal*: string 20..512", out: "AccessKey: struct AccessKey; SecretAccessKey: string"},
		"DeleteAccessKey":      {in: "AccessKeyId*: string 16..128 /[A-Z0-9]+/"},
		"ListAccessKeys":       {in: "Principal: string 20..512", out: "AccessKeys: list<struct AccessKey>"},
		"ListIdentityPolicies": {out: "Policies: list<struct IdentityPolicy>"},
		"StreamMetrics": {
			in:  "HistorySeconds: integer 1..86400; Follow: boolean",
			out: "History: struct MetricHistory; Sample: struct MetricSample",
		},
		"DescribeAlarms":    {out: "Alarms: list<struct AlarmDescription>"},
		"CreateConsoleLink": {out: "Url: string; Expires: timestamp"},
	}
	streaming := []string{"StreamEvents", "StreamHsmLog", "Backup", "StreamMetrics"}
	got := make(map[string]operation)
	for _, m := range compiled(t).Services()[1].Methods {
		got[m.Name] = operation{in: shape(m.Request), out: shape(m.Response)}
		changes := strings.HasPrefix(m.Name, "Put") || strings.HasPrefix(m.Name, "Delete") || strings.HasPrefix(m.Name, "Create") ||
			m.Name == "CheckHsmUnlock" || m.Name == "RotateAuditKey"
		if m.ReadOnly == changes || m.Resource != annotationsv1.ResourceKind_RESOURCE_KIND_ACCOUNT || m.EventResponse && !changes {
			t.Errorf("%s: read-only %t, on %v, shows its answer %t", m.Name, m.ReadOnly, m.Resource, m.EventResponse)
		}
		if streams := slices.Contains(streaming, m.Name); m.ServerStreaming != streams {
			t.Errorf("%s streams: %v, want %v", m.Name, m.ServerStreaming, streams)
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(operation{})); diff != "" {
		t.Errorf("operator operations (-want +proto):\n%s", diff)
	}
}

func TestMethodLookup(t *testing.T) {
	api := compiled(t)
	encrypt := api.Method(kmsService + "Encrypt")
	if encrypt == nil || encrypt != api.Target("TrentService.Encrypt") {
		t.Fatalf("Encrypt is %p by its full name, %p by its target", encrypt, api.Target("TrentService.Encrypt"))
	}
	if diff := cmp.Diff([]string{"kms:Encrypt"}, encrypt.Actions); diff != "" {
		t.Errorf("actions of Encrypt (-want +got):\n%s", diff)
	}
	stream := api.Method(operatorService + "StreamEvents")
	if !stream.ServerStreaming || encrypt.ServerStreaming {
		t.Error("only StreamEvents of these two streams")
	}
	if diff := cmp.Diff([]string{"strongroom:StreamEvents"}, stream.Actions); diff != "" {
		t.Errorf("actions of StreamEvents (-want +got):\n%s", diff)
	}
	for _, unknown := range []string{"", "Encrypt", kmsService, kmsService + "encrypt"} {
		if api.Method(unknown) != nil || api.Target(unknown) != nil {
			t.Errorf("a method is known as %q", unknown)
		}
	}
	if api.Target(".StreamEvents") != nil {
		t.Error("a service without target prefix has a target")
	}
}

func TestFieldLookup(t *testing.T) {
	request := compiled(t).Method(kmsService + "GenerateDataKey").Request
	f := request.ByWireName("NumberOfBytes")
	if f == nil || f.MemberName != "numberOfBytes" || f.EventName != "numberOfBytes" || f.Desc.Name() != "number_of_bytes" {
		t.Errorf("NumberOfBytes is %+v", f)
	}
	for _, unknown := range []string{"", "numberOfBytes", "number_of_bytes"} {
		if request.ByWireName(unknown) != nil {
			t.Errorf("a field has the wire name %q", unknown)
		}
	}
}

func TestDeclares(t *testing.T) {
	api := compiled(t)
	tests := []struct {
		method string
		kind   annotationsv1.ErrorKind
		want   bool
	}{
		{"Encrypt", annotationsv1.ErrorKind_ERROR_KIND_DISABLED, true},
		{"Encrypt", annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT, false},
		{"Decrypt", annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT, true},
		{"ListKeys", annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, false},
		{"ListKeys", annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED, true},
		{"ListKeys", annotationsv1.ErrorKind_ERROR_KIND_THROTTLING, true},
		{"ListKeys", annotationsv1.ErrorKind_ERROR_KIND_UNSPECIFIED, false},
	}
	for _, tt := range tests {
		if got := api.Method(kmsService + tt.method).Declares(tt.kind); got != tt.want {
			t.Errorf("%s declares %v: %v, want %v", tt.method, tt.kind, got, tt.want)
		}
	}
}
