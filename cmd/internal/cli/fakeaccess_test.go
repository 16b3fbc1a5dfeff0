package cli_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// TagResource accepts the tag team=billing and the tag tier=gold.
func (fakeKMS) TagResource(_ context.Context, r *kmsv1.TagResourceRequest) (*kmsv1.TagResourceResponse, error) {
	var got []string
	for _, t := range r.GetTags() {
		got = append(got, t.GetTagKey()+"="+t.GetTagValue())
	}
	if !slices.Equal(got, []string{"team=billing", "tier=gold"}) {
		return nil, refuse(codes.InvalidArgument, "TagException", "%s", strings.Join(got, " "))
	}
	return &kmsv1.TagResourceResponse{}, checkKey(r.GetKeyId())
}

func (fakeKMS) UntagResource(_ context.Context, r *kmsv1.UntagResourceRequest) (*kmsv1.UntagResourceResponse, error) {
	if !slices.Equal(r.GetTagKeys(), []string{"team", "tier"}) {
		return nil, refuse(codes.InvalidArgument, "TagException", "%s", strings.Join(r.GetTagKeys(), " "))
	}
	return &kmsv1.UntagResourceResponse{}, checkKey(r.GetKeyId())
}

// ListResourceTags answers two tags, one to a page.
func (fakeKMS) ListResourceTags(_ context.Context, r *kmsv1.ListResourceTagsRequest) (*kmsv1.ListResourceTagsResponse, error) {
	if r.Marker == nil {
		return &kmsv1.ListResourceTagsResponse{
			Tags: []*kmsv1.Tag{{TagKey: new("team"), TagValue: new("billing")}}, Truncated: new(true), NextMarker: new("2"),
		}, checkKey(r.GetKeyId())
	}
	return &kmsv1.ListResourceTagsResponse{Tags: []*kmsv1.Tag{{TagKey: new("tier"), TagValue: new("gold")}}}, nil
}

// GetKeyPolicy answers a policy that names the Region of the request.
func (fakeKMS) GetKeyPolicy(ctx context.Context, r *kmsv1.GetKeyPolicyRequest) (*kmsv1.GetKeyPolicyResponse, error) {
	region := strings.Join(metadata.ValueFromIncomingContext(ctx, "strongroom-region"), ",")
	return &kmsv1.GetKeyPolicyResponse{Policy: new(`{"Id":"` + region + `"}`)}, checkKey(r.GetKeyId())
}

func (fakeKMS) PutKeyPolicy(_ context.Context, r *kmsv1.PutKeyPolicyRequest) (*kmsv1.PutKeyPolicyResponse, error) {
	if !json.Valid([]byte(r.GetPolicy())) {
		return nil, refuse(codes.InvalidArgument, "MalformedPolicyDocumentException", "not JSON")
	}
	if !r.GetBypassPolicyLockoutSafetyCheck() {
		return nil, refuse(codes.InvalidArgument, "MalformedPolicyDocumentException", "locked out")
	}
	return &kmsv1.PutKeyPolicyResponse{}, checkKey(r.GetKeyId())
}

func fakeGrant(name *string) *kmsv1.GrantListEntry {
	return &kmsv1.GrantListEntry{
		KeyId: new(fakeKeyARN), GrantId: new("g1"), Name: name, GranteePrincipal: new("arn:alice"),
		Operations: []kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT, kmsv1.GrantOperation_GRANT_OPERATION_DECRYPT},
		Constraints: &kmsv1.GrantConstraints{
			EncryptionContextEquals: map[string]string{"tenant": "acme"},
			EncryptionContextSubset: map[string]string{"team": "billing", "site": "b"},
		},
	}
}

// CreateGrant accepts the grant of fakeGrant with a constraint.
func (fakeKMS) CreateGrant(_ context.Context, r *kmsv1.CreateGrantRequest) (*kmsv1.CreateGrantResponse, error) {
	want := fakeGrant(nil)
	if r.GetGranteePrincipal() != want.GetGranteePrincipal() || !slices.Equal(r.GetOperations(), want.GetOperations()) ||
		r.GetConstraints().GetEncryptionContextSubset()["team"] != "billing" {
		return nil, refuse(codes.InvalidArgument, "ValidationException", "%v", r)
	}
	return &kmsv1.CreateGrantResponse{GrantId: new("g1"), GrantToken: new("token")}, checkKey(r.GetKeyId())
}

// ListGrants answers two pages.
func (fakeKMS) ListGrants(_ context.Context, r *kmsv1.ListGrantsRequest) (*kmsv1.ListGrantsResponse, error) {
	more := r.Marker == nil
	return &kmsv1.ListGrantsResponse{
		Grants: []*kmsv1.GrantListEntry{fakeGrant(r.Marker)}, Truncated: &more, NextMarker: new("2"),
	}, checkKey(r.GetKeyId())
}

func (fakeKMS) ListRetirableGrants(_ context.Context, r *kmsv1.ListRetirableGrantsRequest) (*kmsv1.ListRetirableGrantsResponse, error) {
	return &kmsv1.ListRetirableGrantsResponse{Grants: []*kmsv1.GrantListEntry{fakeGrant(r.RetiringPrincipal)}}, nil
}

func (fakeKMS) RetireGrant(_ context.Context, r *kmsv1.RetireGrantRequest) (*kmsv1.RetireGrantResponse, error) {
	if r.GetGrantToken() != "token" && (r.GetGrantId() != "g1" || r.GetKeyId() != fakeKeyARN) {
		return nil, refuse(codes.NotFound, "NotFoundException", "no such grant")
	}
	return &kmsv1.RetireGrantResponse{}, nil
}

func (fakeKMS) RevokeGrant(_ context.Context, r *kmsv1.RevokeGrantRequest) (*kmsv1.RevokeGrantResponse, error) {
	if r.GetGrantId() != "g1" {
		return nil, refuse(codes.NotFound, "NotFoundException", "no such grant")
	}
	return &kmsv1.RevokeGrantResponse{}, checkKey(r.GetKeyId())
}

func (fakeKMS) EnableKeyRotation(_ context.Context, r *kmsv1.EnableKeyRotationRequest) (*kmsv1.EnableKeyRotationResponse, error) {
	return &kmsv1.EnableKeyRotationResponse{}, checkKey(r.GetKeyId())
}

func (fakeKMS) DisableKeyRotation(_ context.Context, r *kmsv1.DisableKeyRotationRequest) (*kmsv1.DisableKeyRotationResponse, error) {
	return &kmsv1.DisableKeyRotationResponse{}, checkKey(r.GetKeyId())
}

func fakeTime() *timestamppb.Timestamp { return fakeMetadata(nil).GetCreationDate() }

func (fakeKMS) GetKeyRotationStatus(_ context.Context, r *kmsv1.GetKeyRotationStatusRequest) (*kmsv1.GetKeyRotationStatusResponse, error) {
	return &kmsv1.GetKeyRotationStatusResponse{
		KeyId: new(fakeKeyID), KeyRotationEnabled: new(true), RotationPeriodInDays: new(int32(90)), NextRotationDate: fakeTime(),
	}, checkKey(r.GetKeyId())
}

func (fakeKMS) RotateKeyOnDemand(_ context.Context, r *kmsv1.RotateKeyOnDemandRequest) (*kmsv1.RotateKeyOnDemandResponse, error) {
	return &kmsv1.RotateKeyOnDemandResponse{KeyId: new(fakeKeyID)}, checkKey(r.GetKeyId())
}

// ListKeyRotations answers one rotation, and two if all material is asked for.
func (fakeKMS) ListKeyRotations(_ context.Context, r *kmsv1.ListKeyRotationsRequest) (*kmsv1.ListKeyRotationsResponse, error) {
	rotations := []*kmsv1.RotationsListEntry{{
		RotationDate: fakeTime(), RotationType: kmsv1.RotationType_ROTATION_TYPE_ON_DEMAND.Enum(), KeyMaterialId: new("m1"),
	}}
	if r.GetIncludeKeyMaterial() == kmsv1.IncludeKeyMaterial_INCLUDE_KEY_MATERIAL_ALL_KEY_MATERIAL {
		rotations = append(rotations, &kmsv1.RotationsListEntry{KeyMaterialId: new("m0")})
	}
	return &kmsv1.ListKeyRotationsResponse{Rotations: rotations}, checkKey(r.GetKeyId())
}

func (fakeKMS) GetKeyLastUsage(_ context.Context, r *kmsv1.GetKeyLastUsageRequest) (*kmsv1.GetKeyLastUsageResponse, error) {
	return &kmsv1.GetKeyLastUsageResponse{KeyId: new(fakeKeyID), TrackingStartDate: fakeTime(), KeyLastUsage: &kmsv1.KeyLastUsageData{
		Timestamp: fakeTime(), Operation: kmsv1.KeyLastUsageTrackingOperation_KEY_LAST_USAGE_TRACKING_OPERATION_SIGN.Enum(),
	}}, checkKey(r.GetKeyId())
}
