package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/integration/harness"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// metadataScope is how the keys of all metadata of a site begin.
const metadataScope = "111122223333/eu-central-1/"

// metadataKey is where the metadata has a KMS key.
func metadataKey(arn string) string {
	_, id, _ := strings.Cut(arn, ":key/")
	return metadataScope + "key/" + id
}

// changeKeyRecord changes what the metadata of a site, whose server does not
// run, says of a key.
func changeKeyRecord(t *testing.T, site *harness.Site, arn string, change func(*storagev1.KeyRecord)) {
	t.Helper()
	store := openMetadata(t, site)
	entry, err := store.Get(t.Context(), metadataKey(arn))
	if err != nil {
		t.Fatal(err)
	}
	record := new(storagev1.KeyRecord)
	if err := proto.Unmarshal(entry.Value[1:], record); err != nil {
		t.Fatal(err)
	}
	change(record)
	putValue(t, store, entry.Key, record)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func openMetadata(t *testing.T, site *harness.Site) *metadata.Bolt {
	t.Helper()
	store, err := metadata.OpenBolt(filepath.Join(site.DataDir, "metadata.db"), metadata.BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// putValue stores a value of version 1.
func putValue(t *testing.T, store *metadata.Bolt, key string, m proto.Message) {
	t.Helper()
	value, err := proto.MarshalOptions{}.MarshalAppend([]byte{1}, m)
	if err != nil {
		t.Fatal(err)
	}
	putBytes(t, store, key, value)
}

func putBytes(t *testing.T, store *metadata.Bolt, key string, value []byte) {
	t.Helper()
	_, err := store.Commit(t.Context(), metadata.Txn{Puts: []metadata.KeyValue{{Key: key, Value: value}}})
	if err != nil {
		t.Fatal(err)
	}
}
