package keystore

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

func TestDescribeAuditTellsOfJournalKeysAndReaders(t *testing.T) {
	t.Parallel()
	s := startService(t)
	describe := func() *operatorv1.DescribeAuditResponse {
		t.Helper()
		res, err := s.Operator().DescribeAudit(s.as(auditor), &operatorv1.DescribeAuditRequest{})
		s.must(err)
		return res
	}
	if res := describe(); len(res.GetSigningKeys())+len(res.GetSinks())+len(res.GetDigests()) != 0 {
		t.Errorf("before anybody reads the trails: %v", res)
	}
	fingerprint := s.sign()
	digest, sink := &operatorv1.AuditDigest{Region: new("us-east-1"), LastSequence: new(uint64(7))}, &operatorv1.AuditSink{Name: new("s3"), Required: new(true)}
	s.regions.ReportAudit(func() AuditStatus {
		return AuditStatus{First: 3, Bytes: 4096, IndexLag: 2, Digests: []*operatorv1.AuditDigest{digest}, Sinks: []*operatorv1.AuditSink{sink}}
	})
	head := s.trail.Head()
	want := &operatorv1.DescribeAuditResponse{
		JournalId: &s.journal, HeadSequence: &head.Seq, HeadHash: new(head.Hash.String()),
		FirstSequence: new(uint64(3)), JournalBytes: new(uint64(4096)), IndexLag: new(uint64(2)),
		Digests: []*operatorv1.AuditDigest{digest}, Sinks: []*operatorv1.AuditSink{sink},
		SigningKeys: []*operatorv1.AuditSigningKey{describeAuditKey(s.regions.AuditKeys()[0])},
	}
	if diff := cmp.Diff(want, describe(), protocmp.Transform()); diff != "" || want.SigningKeys[0].GetFingerprint() != fingerprint {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if e := s.lastEvent(); e.EventName != "DescribeAudit" || !e.ReadOnly {
		t.Errorf("the event is %+v", e)
	}
	if _, err := s.Operator().DescribeAudit(s.as(app), &operatorv1.DescribeAuditRequest{}); err == nil {
		t.Error("somebody without the right was answered")
	}
}
