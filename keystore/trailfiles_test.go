package keystore

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
)

const trailARN = "arn:aws:cloudtrail:us-east-1:000000000000:trail/strongroom"

// filesAt are files in a bucket, of a certain age.
func filesAt(at time.Time) TrailFiles {
	return TrailFiles{Name: "strongroom", Bucket: "audit", Prefix: "a/b", Status: func() TrailFilesStatus {
		return TrailFilesStatus{LatestLogFile: at, DigestError: "the HSM is away"}
	}}
}

func TestTheTrailIsDescribed(t *testing.T) {
	t.Parallel()
	s, at := newService(t), time.Now().Truncate(time.Millisecond)
	s.initToken()
	r, err := s.tryRegions(func(c *Config) { c.TrailFiles = filesAt(at) }, virginia, ireland)
	s.must(err)
	defer s.closeRegions(r)
	want := &cloudtrailv1.Trail{
		Name: new("strongroom"), S3BucketName: new("audit"), S3KeyPrefix: new("a/b"), HomeRegion: new("us-east-1"), TrailArn: new(trailARN),
		IncludeGlobalServiceEvents: new(true), IsMultiRegionTrail: new(true), LogFileValidationEnabled: new(true),
		HasCustomEventSelectors: new(false), HasInsightSelectors: new(false), IsOrganizationTrail: new(false),
	}
	far, _ := r.Region(ireland)
	for name, test := range map[string]struct {
		in   *Keystore
		req  *cloudtrailv1.DescribeTrailsRequest
		want int
	}{
		"all":             {s.Keystore, &cloudtrailv1.DescribeTrailsRequest{}, 1},
		"by name":         {s.Keystore, &cloudtrailv1.DescribeTrailsRequest{TrailNameList: []string{"x", "strongroom"}}, 1},
		"by ARN":          {far, &cloudtrailv1.DescribeTrailsRequest{TrailNameList: []string{trailARN}}, 1},
		"another":         {s.Keystore, &cloudtrailv1.DescribeTrailsRequest{TrailNameList: []string{"x"}}, 0},
		"elsewhere":       {far, &cloudtrailv1.DescribeTrailsRequest{}, 1},
		"no shadow":       {far, &cloudtrailv1.DescribeTrailsRequest{IncludeShadowTrails: new(false)}, 0},
		"no shadow, home": {s.Keystore, &cloudtrailv1.DescribeTrailsRequest{IncludeShadowTrails: new(false)}, 1},
	} {
		res, err := test.in.DescribeTrails(s.as(auditor), test.req)
		if err != nil || len(res.TrailList) != test.want {
			t.Errorf("%s: %v, %v", name, res, err)
		}
		if test.want > 0 {
			if diff := cmp.Diff(want, res.TrailList[0], protocmp.Transform()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	got, err := s.GetTrail(s.as(auditor), &cloudtrailv1.GetTrailRequest{Name: new(trailARN)})
	s.must(err)
	if diff := cmp.Diff(want, got.Trail, protocmp.Transform()); diff != "" {
		t.Errorf("GetTrail (-want +got):\n%s", diff)
	}
	status, err := s.GetTrailStatus(s.as(auditor), &cloudtrailv1.GetTrailStatusRequest{Name: new("strongroom")})
	s.must(err)
	wantStatus := &cloudtrailv1.GetTrailStatusResponse{IsLogging: new(true), LatestDeliveryTime: timestamppb.New(at), LatestDigestDeliveryError: new("the HSM is away")}
	if diff := cmp.Diff(wantStatus, status, protocmp.Transform()); diff != "" {
		t.Errorf("GetTrailStatus (-want +got):\n%s", diff)
	}
	list, err := far.ListTrails(s.as(auditor), &cloudtrailv1.ListTrailsRequest{})
	if err != nil || len(list.Trails) != 1 || list.Trails[0].GetTrailArn() != trailARN {
		t.Errorf("ListTrails: %v, %v", list, err)
	}
}

func TestThereMayBeNoTrailFiles(t *testing.T) {
	t.Parallel()
	s := startService(t)
	res, err := s.DescribeTrails(s.as(auditor), &cloudtrailv1.DescribeTrailsRequest{})
	if err != nil || len(res.TrailList) != 0 {
		t.Errorf("described %v, %v", res, err)
	}
	_, err = s.GetTrail(s.as(auditor), &cloudtrailv1.GetTrailRequest{Name: new("strongroom")})
	wantKind(t, "GetTrail", err, annotationsv1.ErrorKind_ERROR_KIND_TRAIL_NOT_FOUND)
	_, err = s.GetTrailStatus(s.as(auditor), &cloudtrailv1.GetTrailStatusRequest{Name: new("strongroom")})
	wantKind(t, "GetTrailStatus", err, annotationsv1.ErrorKind_ERROR_KIND_TRAIL_NOT_FOUND)
	list, err := s.ListTrails(s.as(auditor), &cloudtrailv1.ListTrailsRequest{})
	if err != nil || len(list.Trails) != 0 {
		t.Errorf("listed %v, %v", list, err)
	}
}

// The keys of a time are those that may have signed then.
func TestListPublicKeys(t *testing.T) {
	t.Parallel()
	s := startService(t)
	before := timestamppb.New(time.Now().Add(-time.Hour))
	s.sign()
	_, err := s.rotateAuditKey(s.as(admin))
	s.must(err)
	keys := s.regions.AuditKeys()
	for name, test := range map[string]struct {
		from, to *timestamppb.Timestamp
		want     []string
	}{
		"now":          {nil, nil, []string{keys[1].Fingerprint}},
		"of all time":  {before, nil, []string{keys[0].Fingerprint, keys[1].Fingerprint}},
		"before":       {before, before, nil},
		"of the first": {timestamppb.New(keys[0].Created), timestamppb.New(keys[0].Created), []string{keys[0].Fingerprint}},
	} {
		res, err := s.ListPublicKeys(s.as(auditor), &cloudtrailv1.ListPublicKeysRequest{StartTime: test.from, EndTime: test.to})
		s.must(err)
		var got []string
		for _, k := range res.PublicKeyList {
			got = append(got, k.GetFingerprint())
			if k.ValidityStartTime == nil || len(k.Value) < 256 {
				t.Errorf("%s: %v", name, k)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	_, err = s.ListPublicKeys(s.as(auditor), &cloudtrailv1.ListPublicKeysRequest{EndTime: before})
	wantKind(t, "an end before", err, annotationsv1.ErrorKind_ERROR_KIND_INVALID_TIME_RANGE)
	_, err = s.ListPublicKeys(s.as(auditor), &cloudtrailv1.ListPublicKeysRequest{StartTime: &timestamppb.Timestamp{Seconds: math.MinInt64}})
	wantKind(t, "a time out of range", err, annotationsv1.ErrorKind_ERROR_KIND_INVALID_TIME_RANGE)
	_, err = s.ListPublicKeys(s.as(auditor), &cloudtrailv1.ListPublicKeysRequest{NextToken: new("x")})
	wantKind(t, "a token", err, annotationsv1.ErrorKind_ERROR_KIND_INVALID_TOKEN)
	_, err = s.ListPublicKeys(s.as(app), &cloudtrailv1.ListPublicKeysRequest{})
	wantKind(t, "a user of keys", err, annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED)
}
