package describe_test

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// stateEvents are calls that change a key's state or description.
func stateEvents() []eventTest {
	return []eventTest{
		{
			name: "EnableKey", method: "EnableKey",
			request: &kmsv1.EnableKeyRequest{KeyId: proto.String(keyID)}, response: &kmsv1.EnableKeyResponse{},
			wantRequest: `{"keyId":"` + keyID + `"}`, wantResponse: `null`,
		},
		{
			name: "DisableKey", method: "DisableKey",
			request: &kmsv1.DisableKeyRequest{KeyId: proto.String(keyARN)}, response: &kmsv1.DisableKeyResponse{},
			wantRequest: `{"keyId":"` + keyARN + `"}`, wantResponse: `null`,
		},
		{
			name: "UpdateKeyDescription shows the empty description", method: "UpdateKeyDescription",
			request:  &kmsv1.UpdateKeyDescriptionRequest{KeyId: proto.String(keyID), Description: proto.String("")},
			response: &kmsv1.UpdateKeyDescriptionResponse{}, wantRequest: `{"keyId":"` + keyID + `","description":""}`, wantResponse: `null`,
		},
		{
			name: "ScheduleKeyDeletion shows its answer", method: "ScheduleKeyDeletion",
			request: &kmsv1.ScheduleKeyDeletionRequest{KeyId: proto.String(keyID), PendingWindowInDays: proto.Int32(7)},
			response: &kmsv1.ScheduleKeyDeletionResponse{
				KeyId: proto.String(keyARN), DeletionDate: timestamppb.New(time.Date(2021, 10, 21, 0, 0, 0, 0, time.UTC)),
				KeyState: kmsv1.KeyState_KEY_STATE_PENDING_DELETION.Enum(), PendingWindowInDays: proto.Int32(7),
			},
			wantRequest:  `{"keyId":"` + keyID + `","pendingWindowInDays":7}`,
			wantResponse: `{"keyId":"` + keyARN + `","deletionDate":"Oct 21, 2021, 12:00:00 AM","keyState":"PendingDeletion","pendingWindowInDays":7}`,
		},
		{
			name: "CancelKeyDeletion shows its answer", method: "CancelKeyDeletion",
			request: &kmsv1.CancelKeyDeletionRequest{KeyId: proto.String(keyID)}, response: &kmsv1.CancelKeyDeletionResponse{KeyId: proto.String(keyARN)},
			wantRequest: `{"keyId":"` + keyID + `"}`, wantResponse: `{"keyId":"` + keyARN + `"}`,
		},
	}
}

// aliasEvents are calls on aliases.
func aliasEvents() []eventTest {
	const pair = `{"aliasName":"alias/payroll","targetKeyId":"` + keyID + `"}`
	return []eventTest{
		{
			name: "CreateAlias", method: "CreateAlias",
			request:  &kmsv1.CreateAliasRequest{AliasName: proto.String("alias/payroll"), TargetKeyId: proto.String(keyID)},
			response: &kmsv1.CreateAliasResponse{}, wantRequest: pair, wantResponse: `null`,
		},
		{
			name: "UpdateAlias", method: "UpdateAlias",
			request:  &kmsv1.UpdateAliasRequest{AliasName: proto.String("alias/payroll"), TargetKeyId: proto.String(keyID)},
			response: &kmsv1.UpdateAliasResponse{}, wantRequest: pair, wantResponse: `null`,
		},
		{
			name: "DeleteAlias", method: "DeleteAlias",
			request: &kmsv1.DeleteAliasRequest{AliasName: proto.String("alias/payroll")}, response: &kmsv1.DeleteAliasResponse{},
			wantRequest: `{"aliasName":"alias/payroll"}`, wantResponse: `null`,
		},
		{
			name: "ListAliases leaves out the answer", method: "ListAliases",
			request:     &kmsv1.ListAliasesRequest{KeyId: proto.String(keyID), Limit: proto.Int32(5)},
			response:    &kmsv1.ListAliasesResponse{Aliases: []*kmsv1.AliasListEntry{{AliasName: proto.String("alias/payroll")}}},
			wantRequest: `{"keyId":"` + keyID + `","limit":5}`, wantResponse: `null`,
		},
	}
}

// reEncryptEvents are calls of ReEncrypt.
func reEncryptEvents() []eventTest {
	return []eventTest{{
		name: "ReEncrypt has both contexts and both algorithms, and neither ciphertext", method: "ReEncrypt",
		request: &kmsv1.ReEncryptRequest{
			CiphertextBlob: []byte("blob"), DestinationKeyId: proto.String("alias/payroll"),
			SourceEncryptionContext: map[string]string{"stage": "test"}, DestinationEncryptionContext: map[string]string{"stage": "prod"},
		},
		response: &kmsv1.ReEncryptResponse{CiphertextBlob: []byte("blob")},
		wantRequest: `{"sourceEncryptionContext":{"stage":"test"},"destinationKeyId":"alias/payroll","destinationEncryptionContext":{"stage":"prod"},` +
			`"sourceEncryptionAlgorithm":"SYMMETRIC_DEFAULT","destinationEncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
		wantResponse: `null`,
	}}
}
