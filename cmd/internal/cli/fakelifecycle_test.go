package cli_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func (fakeKMS) EnableKey(_ context.Context, r *kmsv1.EnableKeyRequest) (*kmsv1.EnableKeyResponse, error) {
	return &kmsv1.EnableKeyResponse{}, checkKey(r.GetKeyId())
}

func (fakeKMS) DisableKey(_ context.Context, r *kmsv1.DisableKeyRequest) (*kmsv1.DisableKeyResponse, error) {
	return &kmsv1.DisableKeyResponse{}, checkKey(r.GetKeyId())
}

// UpdateKeyDescription wants a description, as the real one does; it may be
// empty.
func (fakeKMS) UpdateKeyDescription(_ context.Context, r *kmsv1.UpdateKeyDescriptionRequest) (*kmsv1.UpdateKeyDescriptionResponse, error) {
	if r.Description == nil {
		return nil, refuse(codes.InvalidArgument, "ValidationException", "no description")
	}
	return &kmsv1.UpdateKeyDescriptionResponse{}, checkKey(r.GetKeyId())
}

// ScheduleKeyDeletion counts the days from the key's creation.
func (fakeKMS) ScheduleKeyDeletion(_ context.Context, r *kmsv1.ScheduleKeyDeletionRequest) (*kmsv1.ScheduleKeyDeletionResponse, error) {
	days := int32(30)
	if r.PendingWindowInDays != nil {
		days = r.GetPendingWindowInDays()
	}
	created := fakeMetadata(nil).GetCreationDate().AsTime()
	return &kmsv1.ScheduleKeyDeletionResponse{
		KeyId:               new(fakeKeyARN),
		DeletionDate:        timestamppb.New(created.Add(time.Duration(days) * 24 * time.Hour)),
		KeyState:            kmsv1.KeyState_KEY_STATE_PENDING_DELETION.Enum(),
		PendingWindowInDays: &days,
	}, checkKey(r.GetKeyId())
}

func (fakeKMS) CancelKeyDeletion(_ context.Context, r *kmsv1.CancelKeyDeletionRequest) (*kmsv1.CancelKeyDeletionResponse, error) {
	return &kmsv1.CancelKeyDeletionResponse{KeyId: new(fakeKeyARN)}, checkKey(r.GetKeyId())
}

func checkAlias(name string) error {
	if name != "alias/fake" {
		return refuse(codes.NotFound, "NotFoundException", "Alias %s is not found.", name)
	}
	return nil
}

func (fakeKMS) CreateAlias(_ context.Context, r *kmsv1.CreateAliasRequest) (*kmsv1.CreateAliasResponse, error) {
	if r.GetAliasName() == "alias/fake" {
		return nil, refuse(codes.AlreadyExists, "AlreadyExistsException", "An alias with the name %s already exists", r.GetAliasName())
	}
	return &kmsv1.CreateAliasResponse{}, checkKey(r.GetTargetKeyId())
}

func (fakeKMS) UpdateAlias(_ context.Context, r *kmsv1.UpdateAliasRequest) (*kmsv1.UpdateAliasResponse, error) {
	if err := checkAlias(r.GetAliasName()); err != nil {
		return nil, err
	}
	return &kmsv1.UpdateAliasResponse{}, checkKey(r.GetTargetKeyId())
}

func (fakeKMS) DeleteAlias(_ context.Context, r *kmsv1.DeleteAliasRequest) (*kmsv1.DeleteAliasResponse, error) {
	return &kmsv1.DeleteAliasResponse{}, checkAlias(r.GetAliasName())
}

// ListAliases answers three aliases, one to a page; or one, of the fake key.
func (fakeKMS) ListAliases(_ context.Context, r *kmsv1.ListAliasesRequest) (*kmsv1.ListAliasesResponse, error) {
	if r.KeyId != nil {
		return &kmsv1.ListAliasesResponse{Aliases: []*kmsv1.AliasListEntry{{
			AliasName: new("alias/fake"), TargetKeyId: new(fakeKeyID),
		}}, Truncated: new(false)}, checkKey(r.GetKeyId())
	}
	n := len(r.GetMarker())
	return &kmsv1.ListAliasesResponse{
		Aliases: []*kmsv1.AliasListEntry{{
			AliasName: new(fmt.Sprintf("alias/%d", n)), TargetKeyId: new(fmt.Sprintf("key-%d", n)),
			LastUpdatedDate: fakeMetadata(nil).GetCreationDate(),
		}},
		NextMarker: new(r.GetMarker() + "m"),
		Truncated:  new(n < 2),
	}, nil
}

func (k fakeKMS) ReEncrypt(ctx context.Context, r *kmsv1.ReEncryptRequest) (*kmsv1.ReEncryptResponse, error) {
	if r.SourceKeyId != nil && r.GetSourceKeyId() != fakeKeyID {
		return nil, refuse(codes.InvalidArgument, "IncorrectKeyException", "The key ID in the request does not identify the key that encrypted.")
	}
	opened, err := k.Decrypt(ctx, &kmsv1.DecryptRequest{CiphertextBlob: r.GetCiphertextBlob(), EncryptionContext: r.GetSourceEncryptionContext(), EncryptionAlgorithm: r.SourceEncryptionAlgorithm})
	if err != nil {
		return nil, err
	}
	return &kmsv1.ReEncryptResponse{
		CiphertextBlob: slices.Concat(seal(opened.GetPlaintext(), r.GetDestinationEncryptionContext()), rsaMark(r.DestinationEncryptionAlgorithm)),
	}, checkKey(r.GetDestinationKeyId())
}
