package daemon

import (
	"context"
	"fmt"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/ship/s3"
)

// openS3 begins to send log files and digests to a bucket, which need not be reached. It is
// opened before the export, and so closed after it: the last digest is still sent.
func (d *daemon) openS3(context.Context) error {
	c := d.config.Audit.S3
	if c.Endpoint == "" {
		return nil
	}
	regions := d.config.RegionNames()
	sink, err := s3.Open(s3.Options{
		Endpoint: c.Endpoint, Region: c.Region, Bucket: c.Bucket, PathStyle: c.PathStyle,
		AccessKeyFile: c.AccessKeyFile, CA: c.CA, Required: c.Required,
		Directory: d.config.AuditDirectory(),
		Names:     cloudtrail.Names{Prefix: c.Prefix, Account: d.config.Account, Home: regions[0], Trail: d.config.Audit.Trail},
		Regions:   regions, Journal: d.journal, Trail: d.trail,
		Cursor: d.cursorFile("s3"), Logger: d.logger.Named("s3"),
	})
	if err != nil {
		return fmt.Errorf("audit.s3: %w", err)
	}
	d.addSink(sink)
	return nil
}
