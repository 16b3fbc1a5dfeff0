package integration

import (
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/integration/harness"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
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

	postpone(t, site, doomed)
	server = start(t, site)
	client = dial(t, site, server, harness.Admin)
	for i, k := range g.Keys {
		g.Keys[i] = newGoldenKey(describeKey(t, client, k.ARN))
	}
	stop(t, server.Process)
}

// postpone puts the deletion of a key off until after the last test.
func postpone(t *testing.T, site *harness.Site, arn string) {
	t.Helper()
	store, err := metadata.OpenBolt(filepath.Join(site.DataDir, "metadata.db"), metadata.BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // what was committed is durable
	entry, err := store.Get(t.Context(), metadataKey(arn))
	if err != nil {
		t.Fatal(err)
	}
	record := new(storagev1.KeyRecord)
	if err := proto.Unmarshal(entry.Value[1:], record); err != nil {
		t.Fatal(err)
	}
	record.DeletionDate = timestamppb.New(time.Date(2226, 1, 1, 0, 0, 0, 0, time.UTC))
	value, err := proto.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	putValue(t, store, metadataKey(arn), append(entry.Value[:1:1], value...))
}
