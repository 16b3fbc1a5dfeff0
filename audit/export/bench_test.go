package export

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
)

// uuid returns a UUID of its own for each number.
func uuid(i int) string {
	r := rand.New(rand.NewPCG(uint64(i), 7))
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32()&0xffff, r.Uint32()&0xfff, r.Uint32()&0xfff, r.Uint64()&(1<<48-1))
}

// call is an event of about 1,000 bytes that has what a service's events have: ids of its own, and
// keys and callers that others have too.
func call(i int) *audit.APIEvent {
	key, user := "arn:aws:kms:us-east-1:000000000000:key/"+uuid(-1-i%100), fmt.Sprintf("app-%d", i%20)
	return &audit.APIEvent{
		UserIdentity: audit.UserIdentity{Type: "IAMUser", PrincipalID: "AIDA" + user, ARN: "arn:aws:iam::000000000000:user/" + user, AccountID: "000000000000", UserName: user},
		EventTime:    time.Unix(1772446530+int64(i/4000), 0), EventSource: "kms.amazonaws.com", EventName: "Encrypt", AWSRegion: home,
		SourceIPAddress: "192.0.2.17", UserAgent: "aws-sdk-go-v2/1.47.7",
		RequestParameters: fmt.Appendf(nil, `{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"shard":"%d"},"keyId":%q}`, i%64, key),
		RequestID:         uuid(2 * i), EventID: uuid(2*i + 1), ReadOnly: true,
		Resources:          []audit.Resource{{AccountID: "000000000000", Type: audit.ResourceTypeKey, ARN: key}},
		RecipientAccountID: "000000000000", TLSDetails: &audit.TLSDetails{TLSVersion: "TLSv1.3", CipherSuite: "TLS_AES_128_GCM_SHA256"},
	}
}

// BenchmarkLogFile measures what an event costs from its record to the compressed file.
func BenchmarkLogFile(b *testing.B) {
	records := make([]audit.Record, 8192)
	for i := range records {
		records[i] = audit.Record{Seq: uint64(i + 1), JSON: call(i).AppendJSON(nil)}
	}
	d := disk{b.TempDir(), func(string, string) error { return nil }}
	must(b, d.makeDir(d.path(tempDir)))
	st, err := openStream(d, tempDir+"/1.log", home, "")
	must(b, err)
	b.SetBytes(int64(len(records[0].JSON)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r := records[i%len(records)]
		i++
		if string(member(r.JSON, regionMember)) != home {
			b.Fatal("Region is not found")
		}
		must(b, st.add(r, r.JSON, eventTime(r)))
	}
	must(b, st.finish(d))
	info, err := os.Stat(st.file.Name())
	must(b, err)
	b.ReportMetric(float64(info.Size())/float64(i), "file-B/op")
}

// BenchmarkTrail measures the processors' time that an event costs the whole process, the journal's and
// the indexes' part included, recorded by 64 callers with and without an exporter beside them.
func BenchmarkTrail(b *testing.B) {
	for _, exported := range []bool{false, true} {
		b.Run(fmt.Sprintf("exported=%v", exported), func(b *testing.B) {
			trail, found, err := audit.Open(audit.Options{Dir: filepath.Join(b.TempDir(), "journal")})
			must(b, err)
			stop := func() {}
			if exported {
				e, err := Open(Options{
					Trail: trail, Journal: found.Journal, Directory: b.TempDir(), Account: "123456789012", Regions: []string{home},
					TrailName: "strongroom", Bucket: "a-bucket", Signer: newSigner(b), ClusterOf: func(string) string { return "cluster-1" },
				})
				must(b, err)
				stop = func() { must(b, e.Close(b.Context())) }
			}
			before := cpuTime(b)
			recordCalls(b, trail)
			stop()
			b.StopTimer()
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			must(b, trail.Close(b.Context()))
		})
	}
}

// recordCalls records b.N events.
func recordCalls(b *testing.B, trail *audit.Trail) {
	events := make([]*audit.APIEvent, 8192)
	for i := range events {
		events[i] = call(i)
	}
	b.ResetTimer()
	var next atomic.Int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				if err := trail.RecordEvent(b.Context(), events[i%len(events)]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
}

// cpuTime is the time of processors that the process has used.
func cpuTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
