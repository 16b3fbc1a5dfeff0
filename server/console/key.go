package console

import (
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// eventsOfAKey is how many events the page of a key has.
const eventsOfAKey = 20

// usesAndChanges leaves out what people and this console read of a key.
const usesAndChanges = `!(event.eventName in ["DescribeKey", "GetKeyLastUsage", "GetKeyPolicy", "GetKeyRotationStatus", "ListAliases", "ListGrants", "ListKeyRotations", "ListResourceTags"])`

// keyPage is one key.
type keyPage struct {
	Region   string
	Metadata *kmsv1.KeyMetadata
	Failure  *failure // why there is nothing else

	Aliases   part[*kmsv1.ListAliasesResponse]
	Policy    part[*kmsv1.GetKeyPolicyResponse]
	Grants    part[*kmsv1.ListGrantsResponse]
	Tags      part[*kmsv1.ListResourceTagsResponse]
	Rotation  part[*kmsv1.GetKeyRotationStatusResponse]
	Rotations part[*kmsv1.ListKeyRotationsResponse]
	LastUsage part[*kmsv1.GetKeyLastUsageResponse]
	Events    eventList
}

// Rotates says whether keys of this sort can be rotated at all.
func (p keyPage) Rotates() bool {
	return p.Metadata.GetKeySpec() == kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT && p.Metadata.GetCustomKeyStoreId() == ""
}

func key(v *visit) view {
	id := v.r.PathValue("id")
	p, shown := keyPage{Region: v.region}, view{File: "key.html", Title: id, Section: "/keys"}
	described := load[kmsv1.DescribeKeyResponse](v, kmsv1.KeyManagementService_DescribeKey_FullMethodName, &kmsv1.DescribeKeyRequest{KeyId: &id})
	if described.Failure != nil {
		p.Failure = described.Failure
		shown.Status, shown.Body = p.Failure.status(), p
		return shown
	}
	p.Metadata = described.Value.GetKeyMetadata()
	v.completeKey(&p)
	if all := p.Aliases.Value.GetAliases(); len(all) > 0 {
		shown.Title = all[0].GetAliasName()
	}
	shown.Body = p
	return shown
}

// completeKey asks for all that there is of a key.
func (v *visit) completeKey(p *keyPage) {
	id := p.Metadata.KeyId
	requests := []func(){
		func() {
			p.Aliases = load[kmsv1.ListAliasesResponse](v, kmsv1.KeyManagementService_ListAliases_FullMethodName, &kmsv1.ListAliasesRequest{KeyId: id})
		},
		func() {
			p.Policy = load[kmsv1.GetKeyPolicyResponse](v, kmsv1.KeyManagementService_GetKeyPolicy_FullMethodName, &kmsv1.GetKeyPolicyRequest{KeyId: id})
		},
		func() {
			p.Grants = load[kmsv1.ListGrantsResponse](v, kmsv1.KeyManagementService_ListGrants_FullMethodName, &kmsv1.ListGrantsRequest{KeyId: id})
		},
		func() {
			p.Tags = load[kmsv1.ListResourceTagsResponse](v, kmsv1.KeyManagementService_ListResourceTags_FullMethodName, &kmsv1.ListResourceTagsRequest{KeyId: id})
		},
		func() {
			p.LastUsage = load[kmsv1.GetKeyLastUsageResponse](v, kmsv1.KeyManagementService_GetKeyLastUsage_FullMethodName, &kmsv1.GetKeyLastUsageRequest{KeyId: id})
		},
		func() {
			p.Events = v.searchEvents(&operatorv1.EventSelector{Resource: p.Metadata.Arn, Filter: new(usesAndChanges)}, "", eventsOfAKey)
		},
	}
	if p.Rotates() {
		requests = append(requests, func() {
			p.Rotation = load[kmsv1.GetKeyRotationStatusResponse](v, kmsv1.KeyManagementService_GetKeyRotationStatus_FullMethodName, &kmsv1.GetKeyRotationStatusRequest{KeyId: id})
		}, func() {
			p.Rotations = load[kmsv1.ListKeyRotationsResponse](v, kmsv1.KeyManagementService_ListKeyRotations_FullMethodName, &kmsv1.ListKeyRotationsRequest{KeyId: id})
		})
	}
	v.together(requests...)
}
