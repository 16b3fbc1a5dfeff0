package export

import (
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
)

// BenchmarkExport measures what exporting an event costs, from its record to the
// compressed file.
func BenchmarkExport(b *testing.B) {
	d := disk{b.TempDir(), func(string, string) error { return nil }}
	must(b, d.makeDir(d.path(tempDir)))
	st, err := openStream(d, tempDir+"/1.log", home, "")
	must(b, err)
	e := audit.APIEvent{
		UserIdentity: audit.UserIdentity{Type: "IAMUser", ARN: "arn:aws:iam::000000000000:user/alice", AccountID: "000000000000", UserName: "alice"},
		EventTime:    time.Unix(1772446530, 0), EventSource: "kms.amazonaws.com", EventName: "Encrypt", AWSRegion: home, SourceIPAddress: "192.0.2.1",
		UserAgent: "grpc-go/1.85", RequestParameters: []byte(`{"keyId":"alias/a","encryptionContext":{"k":"v"}}`),
		RequestID: "11111111-1111-4111-8111-111111111111", EventID: "22222222-2222-4222-8222-222222222222", ReadOnly: true,
		Resources: []audit.Resource{{AccountID: "000000000000", Type: audit.ResourceTypeKey, ARN: "arn:aws:kms:us-east-1:000000000000:key/1"}},
	}
	r := audit.Record{Seq: 1, JSON: e.AppendJSON(nil)}
	b.SetBytes(int64(len(r.JSON)))
	b.ReportAllocs()
	for b.Loop() {
		if string(member(r.JSON, regionMember)) != home {
			b.Fatal("Region is not found")
		}
		must(b, st.add(r, r.JSON, eventTime(r)))
	}
	must(b, st.finish(d))
}
