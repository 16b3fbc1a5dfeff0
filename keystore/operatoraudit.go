package keystore

import (
	"context"

	"github.com/strongroom-kms/strongroom/hsmpool"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// AuditStatus is what DescribeAudit answers of those who read the trails.
type AuditStatus struct {
	// First is the number of the oldest record that is left in the journal, and Bytes the
	// journal's size.
	First, Bytes uint64
	// IndexLag is how many records the search index is behind.
	IndexLag uint64
	// Digests are the newest digests of each Region, and Sinks who takes the trails.
	Digests []*operatorv1.AuditDigest
	Sinks   []*operatorv1.AuditSink
}

// ReportAudit says who tells DescribeAudit about those that read the trails, which are
// begun after the key store. It is called at each DescribeAudit, from several goroutines,
// and answers at once.
func (r *Regions) ReportAudit(status func() AuditStatus) { r.auditStatus.Store(&status) }

// HSMs tells of every HSM that is in use, those of connected custom key stores too.
func (r *Regions) HSMs() (all []hsmpool.Status) {
	for _, hsm := range r.hsms() {
		all = append(all, hsm.Describe()...)
	}
	return all
}

// DescribeAudit answers where the audit stands.
func (o *operator) DescribeAudit(ctx context.Context, req *operatorv1.DescribeAuditRequest) (*operatorv1.DescribeAuditResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_DescribeAudit_FullMethodName, req, plan[*operatorv1.DescribeAuditResponse]{
		run: func(context.Context, *proof) (*operatorv1.DescribeAuditResponse, error) {
			return o.k.regions.describeAudit(), nil
		},
	})
}

func (r *Regions) describeAudit() *operatorv1.DescribeAuditResponse {
	cut := r.Default().trail.Cut()
	res := &operatorv1.DescribeAuditResponse{
		JournalId: new(cut.Journal.String()), HeadSequence: &cut.Head.Seq, HeadHash: new(cut.Head.Hash.String()),
	}
	for _, a := range r.AuditKeys() {
		res.SigningKeys = append(res.SigningKeys, describeAuditKey(a))
	}
	if report := r.auditStatus.Load(); report != nil {
		s := (*report)()
		res.FirstSequence, res.JournalBytes, res.IndexLag = &s.First, &s.Bytes, &s.IndexLag
		res.Digests, res.Sinks = s.Digests, s.Sinks
	}
	return res
}
