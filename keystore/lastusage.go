package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// GetKeyLastUsage answers the last cryptographic operation with a key that
// succeeded, if there was any since uses are tracked. It may be asked in any
// state of the key.
func (k *Keystore) GetKeyLastUsage(ctx context.Context, req *kmsv1.GetKeyLastUsageRequest) (*kmsv1.GetKeyLastUsageResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_GetKeyLastUsage_FullMethodName, req, plan[*kmsv1.GetKeyLastUsageResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		run: func(ctx context.Context, p *proof) (*kmsv1.GetKeyLastUsageResponse, error) {
			since, err := k.trackedSince(ctx)
			if err != nil {
				return nil, usageUnknown(ctx, p.key, err)
			}
			last, err := k.usage.last(ctx, p.key.id)
			if err != nil {
				return nil, usageUnknown(ctx, p.key, err)
			}
			return p.key.lastUsage(since, last), nil
		},
	})
}

// lastUsage answers a use of the key; nil: there was none.
func (k *key) lastUsage(since time.Time, last *storagev1.UsageRecord) *kmsv1.GetKeyLastUsageResponse {
	res := &kmsv1.GetKeyLastUsageResponse{KeyId: &k.arn, KeyCreationDate: k.record.Created, TrackingStartDate: k.record.Created}
	if since.After(k.record.GetCreated().AsTime()) {
		res.TrackingStartDate = timestamppb.New(since)
	}
	if last != nil {
		res.KeyLastUsage = &kmsv1.KeyLastUsageData{
			Operation: last.Operation, Timestamp: last.Time, CloudTrailEventId: last.EventId, KmsRequestId: last.RequestId,
		}
	}
	return res
}

func usageUnknown(ctx context.Context, of *key, err error) error {
	if ctx.Err() != nil {
		return outOfTime(ctx, "The key metadata").because(err)
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The last use of %s could not be read.", of.arn).because(err)
}

// trackedSince is since when the uses of keys are tracked: now, if they were not
// before.
func (k *Keystore) trackedSince(ctx context.Context) (time.Time, error) {
	r, now := new(storagev1.UsageRecord), timestamppb.Now()
	revision, err := readValue(ctx, k.store, k.scope.trackingPath(), r)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading since when uses are tracked: %w", err)
	}
	if revision != 0 {
		return r.GetTime().AsTime(), nil
	}
	_, err = replaceValue(ctx, k.store, k.scope.trackingPath(), &storagev1.UsageRecord{Time: now}, 0)
	if errors.Is(err, metadata.ErrConflict) {
		return k.trackedSince(ctx) // others were faster
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("writing since when uses are tracked: %w", err)
	}
	return now.AsTime(), nil
}

// trackedOperations are the operations whose success is a use of a key, by their
// names.
func trackedOperations() map[string]kmsv1.KeyLastUsageTrackingOperation {
	tracked := map[string]kmsv1.KeyLastUsageTrackingOperation{}
	for n := range kmsv1.KeyLastUsageTrackingOperation_name {
		if o := kmsv1.KeyLastUsageTrackingOperation(n); n != 0 {
			tracked[describe.WireName(o)] = o
		}
	}
	return tracked
}
