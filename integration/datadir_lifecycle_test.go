package integration

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// fillLifecycle makes keys of every state, with aliases and changes of them, and
// stops the server.
func fillLifecycle(t *testing.T, site *harness.Site, g *goldenData) {
	t.Helper()
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	used, disabled, doomed := g.create(t, client, "used"), g.create(t, client, "disabled"), g.create(t, client, "to be deleted")
	g.encrypt(t, client, used, nil)
	ctx := within(t, 20*time.Second)
	for _, call := range []func() error{
		func() error {
			_, err := client.KMS.CreateAlias(ctx, &kmsv1.CreateAliasRequest{AliasName: new("alias/used"), TargetKeyId: &disabled})
			return err
		},
		func() error {
			_, err := client.KMS.UpdateAlias(ctx, &kmsv1.UpdateAliasRequest{AliasName: new("alias/used"), TargetKeyId: &used})
			return err
		},
		func() error {
			_, err := client.KMS.UpdateKeyDescription(ctx, &kmsv1.UpdateKeyDescriptionRequest{KeyId: &used, Description: new("used, and described again")})
			return err
		},
		func() error {
			_, err := client.KMS.DisableKey(ctx, &kmsv1.DisableKeyRequest{KeyId: &disabled})
			return err
		},
		func() error {
			_, err := client.KMS.ScheduleKeyDeletion(ctx, &kmsv1.ScheduleKeyDeletionRequest{KeyId: &doomed})
			return err
		},
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	g.Aliases = map[string]string{"alias/used": used}
	stop(t, server.Process)

	// The deletion is put off until after the last test.
	changeKeyRecord(t, site, doomed, func(r *storagev1.KeyRecord) {
		r.DeletionDate = timestamppb.New(time.Date(2226, 1, 1, 0, 0, 0, 0, time.UTC))
	})
	server = start(t, site)
	client = dial(t, site, server, harness.Admin)
	for i, k := range g.Keys {
		g.Keys[i] = newGoldenKey(describeKey(t, client, k.ARN))
	}
	stop(t, server.Process)
}
