package daemon

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit/export"
	"github.com/strongroom-kms/strongroom/keystore"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// auditStatus is where those stand who read the trails.
func (d *daemon) auditStatus() keystore.AuditStatus {
	files := d.export.Load().Status()
	s := keystore.AuditStatus{
		First: d.trail.First(), Bytes: uint64(max(0, d.trail.Size())), IndexLag: d.trail.IndexLag(),
		Sinks: []*operatorv1.AuditSink{describeFiles(files)},
	}
	for _, sink := range d.sinkStatuses() {
		s.Sinks = append(s.Sinks, describeSink(sink))
	}
	for _, g := range files.Digests {
		s.Digests = append(s.Digests, &operatorv1.AuditDigest{
			Region: &g.Region, Object: &g.Object, EndTime: timestamppb.New(g.End),
			LastSequence: &g.LastSequence, LastHash: &g.LastHash, Fingerprint: &g.Fingerprint,
		})
	}
	return s
}

// describeFiles describes the directory of log files and digests. Digests are required of
// it: nothing is removed that none covers.
func describeFiles(s export.Status) *operatorv1.AuditSink {
	sink := &operatorv1.AuditSink{
		Name: new("files"), Required: new(true), Sequence: &s.Exported,
		LagRecords: &s.LagRecords, LagMilliseconds: new(s.Lag.Milliseconds()),
	}
	for _, failure := range []string{s.DigestError, s.LogFileError} {
		if failure != "" {
			sink.LastError = &failure
		}
	}
	return sink
}
