package daemon

import (
	"context"
	"time"

	"github.com/strongroom-kms/strongroom/audit/export"
	"github.com/strongroom-kms/strongroom/audit/retention"
	"github.com/strongroom-kms/strongroom/audit/ship"
)

// lastDigestTimeout bounds the last log files and digests of a run, so that time is left
// for the parts that are closed after.
const lastDigestTimeout = 20 * time.Second

// openExport begins to write the trails into log files and signed digests.
func (d *daemon) openExport(context.Context) error {
	c := d.config.Audit
	bucket, prefix := d.config.TrailLocation()
	e, err := export.Open(export.Options{
		Trail: d.trail, Journal: d.journal, AcceptNewJournal: d.options.AcceptNewJournal,
		Directory: d.config.AuditDirectory(),
		Account:   d.config.Account, Regions: d.config.RegionNames(),
		TrailName: c.Trail, Bucket: bucket, Prefix: prefix,
		LogFilePeriod: c.LogFilePeriod, LogFileSize: int64(c.LogFileSize),
		DigestPeriod: c.DigestPeriod, DigestSize: int64(c.DigestSize),
		Signer: d.keystore.AuditSigner(), ClusterOf: d.clusterOf,
		Logger: d.logger.Named("export"),
	})
	if err != nil {
		return err
	}
	d.export.Store(e)
	d.parts.add("export of the audit trails", d.closeExport)
	d.keystore.ReportAudit(d.auditStatus)
	return nil
}

// closeExport writes the last events of the run, while the HSM can sign. What cannot be
// written or signed now is at the next start, so that it is no fault of the stop.
func (d *daemon) closeExport(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lastDigestTimeout)
	defer cancel()
	if err := d.export.Load().Close(ctx); err != nil {
		d.logger.Warn("the newest events are in the journal, and not yet in signed files: the next start goes on with them", "error", err)
	}
	return nil
}

// keepJournalSmall removes from the journal what the configuration wants removed, and
// others have.
func (d *daemon) keepJournalSmall(context.Context) error {
	policy := retention.Policy{Age: d.config.Audit.Retention.Age, Size: int64(d.config.Audit.Retention.Size)}
	if policy == (retention.Policy{}) {
		return nil
	}
	r, err := retention.New(retention.Options{Trail: d.trail, Limit: taken{d}, Policy: policy, Logger: d.logger.Named("retention")})
	if err != nil {
		return err
	}
	d.run("retention of the journal", r.Run)
	return nil
}

// taken is how far everybody has come who must, before records may be removed.
type taken struct{ d *daemon }

// Taken is part of retention.Limit.
func (t taken) Taken() (uint64, error) {
	covered, err := t.d.export.Load().Taken()
	if err != nil {
		return 0, err
	}
	sent, err := ship.Taken(t.d.sinks...)
	return min(covered, sent), err
}
