package keystore

import (
	"context"
	"testing"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// alteredTrail is a trail that is not as it was written.
type alteredTrail struct{ Trail }

func (alteredTrail) Search(context.Context, audit.Search) (audit.Page, error) {
	return audit.Page{}, &journal.Corruption{Segment: 1, Seq: 7, Reason: "a test"}
}

// slowTrail is a trail that finds nothing before the request's deadline.
type slowTrail struct{ Trail }

func (slowTrail) Search(ctx context.Context, _ audit.Search) (audit.Page, error) {
	<-ctx.Done()
	return audit.Page{}, ctx.Err()
}

// Each client hears of a trail that cannot be read by an error of the service that it
// asks.
func TestTrailsThatCannotBeSearched(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 1)
	group, stream := s.logOf()
	calls := map[string]struct {
		call          func(context.Context) error
		altered, slow annotationsv1.ErrorKind
	}{
		"CloudTrail": {func(ctx context.Context) error {
			_, err := s.LookupEvents(ctx, &cloudtrailv1.LookupEventsRequest{})
			return err
		}, annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE, annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE},
		"CloudWatch Logs": {func(ctx context.Context) error {
			_, err := s.GetLogEvents(ctx, &logsv1.GetLogEventsRequest{LogGroupName: &group, LogStreamName: &stream})
			return err
		}, annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE, annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE},
		"the operator": {func(ctx context.Context) error {
			_, err := s.Operator().SearchEvents(ctx, &operatorv1.SearchEventsRequest{})
			return err
		}, annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL},
	}
	for name, test := range calls {
		s.Keystore.trail = alteredTrail{s.trail}
		wantKind(t, name+", altered", test.call(s.as(auditor)), test.altered)
		s.Keystore.trail = slowTrail{s.trail}
		ctx, cancel := context.WithTimeout(s.as(auditor), 0)
		wantKind(t, name+", slow", test.call(ctx), test.slow)
		cancel()
	}
}
