package console

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// bringDeletionForward has a key that is to be deleted in a week be deleted after d. The
// server must be stopped: it is the metadata that is changed, as if the week had gone by.
func (s *system) bringDeletionForward(t *testing.T, arn string, d time.Duration) {
	t.Helper()
	store := need[*metadata.Bolt](t)(metadata.OpenBolt(filepath.Join(s.DataDir, "metadata.db"), metadata.BoltOptions{}))
	// arn:aws:kms:REGION:ACCOUNT:key/ID
	part := strings.Split(strings.ReplaceAll(arn, "/", ":"), ":")
	entry := need[metadata.Entry](t)(store.Get(t.Context(), strings.Join([]string{part[4], part[3], "key", part[6]}, "/")))
	record := new(storagev1.KeyRecord)
	if err := proto.Unmarshal(entry.Value[1:], record); err != nil {
		t.Fatal(err)
	}
	record.DeletionDate = timestamppb.New(time.Now().Add(d))
	value := need[[]byte](t)(proto.MarshalOptions{}.MarshalAppend(entry.Value[:1:1], record))
	need[uint64](t)(store.Commit(t.Context(), metadata.Txn{Puts: []metadata.KeyValue{{Key: entry.Key, Value: value}}}))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
