package keystore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
)

// TrailFiles is where the files of the audit trails go, for those who ask.
type TrailFiles struct {
	// Name is the trail's, as the names of digests have it; empty: there are no files.
	Name string
	// Bucket and Prefix are those that the digests name. Prefix has no slash at its
	// ends.
	Bucket, Prefix string
	// Status says when the newest files were written. It is called for requests, and
	// answers at once. Nil: nobody knows.
	Status func() TrailFilesStatus
}

// TrailFilesStatus says when the newest files of the trails were written.
type TrailFilesStatus struct {
	// LatestLogFile and LatestDigest are their times; zero: there is none.
	LatestLogFile, LatestDigest time.Time
	// LogFileError and DigestError say why the last attempt failed; empty: it has not.
	LogFileError, DigestError string
}

// DescribeTrails answers where the trail's files go.
func (k *Keystore) DescribeTrails(ctx context.Context, req *cloudtrailv1.DescribeTrailsRequest) (*cloudtrailv1.DescribeTrailsResponse, error) {
	return perform(ctx, k, cloudtrailv1.CloudTrailService_DescribeTrails_FullMethodName, req, plan[*cloudtrailv1.DescribeTrailsResponse]{
		run: func(context.Context, *proof) (*cloudtrailv1.DescribeTrailsResponse, error) {
			res, names := new(cloudtrailv1.DescribeTrailsResponse), req.GetTrailNameList()
			t := k.describeTrail()
			isShadow := k.home() != k.scope.region
			switch {
			case t == nil,
				isShadow && req.IncludeShadowTrails != nil && !req.GetIncludeShadowTrails(),
				len(names) > 0 && !slices.Contains(names, t.GetName()) && !slices.Contains(names, t.GetTrailArn()):
				return res, nil
			}
			res.TrailList = append(res.TrailList, t)
			return res, nil
		},
	})
}

// GetTrail answers where the files of a trail go.
func (k *Keystore) GetTrail(ctx context.Context, req *cloudtrailv1.GetTrailRequest) (*cloudtrailv1.GetTrailResponse, error) {
	return perform(ctx, k, cloudtrailv1.CloudTrailService_GetTrail_FullMethodName, req, plan[*cloudtrailv1.GetTrailResponse]{
		run: func(context.Context, *proof) (*cloudtrailv1.GetTrailResponse, error) {
			t, err := k.trailNamed(req.GetName())
			if err != nil {
				return nil, err
			}
			return &cloudtrailv1.GetTrailResponse{Trail: t}, nil
		},
	})
}

// GetTrailStatus answers when the newest files of a trail were written.
func (k *Keystore) GetTrailStatus(ctx context.Context, req *cloudtrailv1.GetTrailStatusRequest) (*cloudtrailv1.GetTrailStatusResponse, error) {
	return perform(ctx, k, cloudtrailv1.CloudTrailService_GetTrailStatus_FullMethodName, req, plan[*cloudtrailv1.GetTrailStatusResponse]{
		run: func(context.Context, *proof) (*cloudtrailv1.GetTrailStatusResponse, error) {
			if _, err := k.trailNamed(req.GetName()); err != nil {
				return nil, err
			}
			res := &cloudtrailv1.GetTrailStatusResponse{IsLogging: new(true)}
			if k.files.Status != nil {
				s := k.files.Status()
				res.LatestDeliveryTime, res.LatestDeliveryError = moment(s.LatestLogFile), nonEmpty(s.LogFileError)
				res.LatestDigestDeliveryTime, res.LatestDigestDeliveryError = moment(s.LatestDigest), nonEmpty(s.DigestError)
			}
			return res, nil
		},
	})
}

// ListTrails answers the trail's name.
func (k *Keystore) ListTrails(ctx context.Context, req *cloudtrailv1.ListTrailsRequest) (*cloudtrailv1.ListTrailsResponse, error) {
	return perform(ctx, k, cloudtrailv1.CloudTrailService_ListTrails_FullMethodName, req, plan[*cloudtrailv1.ListTrailsResponse]{
		run: func(context.Context, *proof) (*cloudtrailv1.ListTrailsResponse, error) {
			res := new(cloudtrailv1.ListTrailsResponse)
			if t := k.describeTrail(); t != nil {
				res.Trails = append(res.Trails, &cloudtrailv1.TrailInfo{TrailArn: t.TrailArn, Name: t.Name, HomeRegion: t.HomeRegion})
			}
			return res, nil
		},
	})
}

// ListPublicKeys answers the keys whose signatures digests may have that were made
// between two times.
func (k *Keystore) ListPublicKeys(ctx context.Context, req *cloudtrailv1.ListPublicKeysRequest) (*cloudtrailv1.ListPublicKeysResponse, error) {
	return perform(ctx, k, cloudtrailv1.CloudTrailService_ListPublicKeys_FullMethodName, req, plan[*cloudtrailv1.ListPublicKeysResponse]{
		run: func(context.Context, *proof) (*cloudtrailv1.ListPublicKeysResponse, error) {
			now := timestamppb.Now()
			start, end := cmp.Or(req.StartTime, now), cmp.Or(req.EndTime, now)
			if err := checkTimes(start, end); err != nil {
				return nil, err
			}
			if req.GetNextToken() != "" {
				return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_TOKEN, "ListPublicKeys has answered no token: it answers all keys at once.")
			}
			from, to := start.AsTime(), end.AsTime()
			res := new(cloudtrailv1.ListPublicKeysResponse)
			for _, key := range k.regions.AuditKeys() {
				if key.Created.After(to) || !key.Retired.IsZero() && key.Retired.Before(from) {
					continue
				}
				res.PublicKeyList = append(res.PublicKeyList, &cloudtrailv1.PublicKey{
					Value: key.PublicKey, Fingerprint: &key.Fingerprint, ValidityStartTime: moment(key.Created), ValidityEndTime: moment(key.Retired),
				})
			}
			return res, nil
		},
	})
}

// home is the Region that the trail is at home in.
func (k *Keystore) home() string { return k.regions.Default().scope.region }

// describeTrail is the trail as CloudTrail describes it; nil: its files go nowhere.
func (k *Keystore) describeTrail() *cloudtrailv1.Trail {
	if k.files.Name == "" {
		return nil
	}
	return &cloudtrailv1.Trail{
		Name: &k.files.Name, S3BucketName: nonEmpty(k.files.Bucket), S3KeyPrefix: nonEmpty(k.files.Prefix), HomeRegion: new(k.home()),
		TrailArn:                   new(fmt.Sprintf("arn:aws:cloudtrail:%s:%s:trail/%s", k.home(), k.scope.account, k.files.Name)),
		IncludeGlobalServiceEvents: new(true), IsMultiRegionTrail: new(true), LogFileValidationEnabled: new(true),
		HasCustomEventSelectors: new(false), HasInsightSelectors: new(false), IsOrganizationTrail: new(false),
	}
}

// trailNamed is the trail of a name or an ARN.
func (k *Keystore) trailNamed(name string) (*cloudtrailv1.Trail, error) {
	t := k.describeTrail()
	if t == nil || name != t.GetName() && name != t.GetTrailArn() {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_TRAIL_NOT_FOUND, "Unknown trail: %s", name)
	}
	return t, nil
}

// moment is a time that is absent when it is zero.
func moment(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
