package integration

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/integration/harness"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// A deletion that was cancelled after a backup is scheduled in it, and its date may
// have passed when the backup is restored. The key must not be gone at the next start:
// restored with its journal it can be cancelled again, beside a journal that tells
// of the cancellation the key is disabled.
func TestRestoreDeletesNoKeyThatWasKept(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	kept, err := seal(within(t, 10*time.Second), client)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.KMS.ScheduleKeyDeletion(within(t, 10*time.Second), &kmsv1.ScheduleKeyDeletionRequest{KeyId: &kept.key, PendingWindowInDays: new(int32(7))}); err != nil {
		t.Fatal(err)
	}
	backup := overdue(t, backUp(t, site, server), kept.key)
	keep(t, client, kept.key)
	stop(t, server.Process)

	out := mustRun(t, nil, "restore", "--metadata-only", "--data-dir", site.DataDir, backup)
	if strings.Contains(out, "Keys to be deleted") {
		t.Errorf("the key whose deletion was cancelled is listed:\n%s", out)
	}
	server = start(t, site)
	client = dial(t, site, server, harness.Admin)
	if got := described(t, client, kept.key).GetKeyState(); got != kmsv1.KeyState_KEY_STATE_DISABLED {
		t.Errorf("the key is %v beside its journal, want it disabled", got)
	}
	stop(t, server.Process)

	if err := os.Rename(site.DataDir, site.DataDir+".lost"); err != nil {
		t.Fatal(err)
	}
	out = mustRun(t, nil, "restore", "--data-dir", site.DataDir, backup)
	if !strings.Contains(out, "Keys to be deleted: 1.") || strings.Count(out, kept.key) != 1 {
		t.Errorf("the key is not listed as one to be deleted:\n%s", out)
	}
	server = start(t, site)
	client = dial(t, site, server, harness.Admin)
	if got := time.Until(described(t, client, kept.key).GetDeletionDate().AsTime()); got < 6*24*time.Hour {
		t.Errorf("the key is to be deleted in %v, want a week", got)
	}
	keep(t, client, kept.key)
	expectOpens(t, client, []sealed{kept})
	stop(t, server.Process)
	mustRun(t, nil, "audit", "verify", site.DataDir)
}

func described(t *testing.T, client *harness.Client, key string) *kmsv1.KeyMetadata {
	t.Helper()
	answer, err := client.KMS.DescribeKey(within(t, 10*time.Second), &kmsv1.DescribeKeyRequest{KeyId: &key})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetKeyMetadata()
}

// keep cancels the deletion of a key and enables it.
func keep(t *testing.T, client *harness.Client, key string) {
	t.Helper()
	_, err := client.KMS.CancelKeyDeletion(within(t, 10*time.Second), &kmsv1.CancelKeyDeletionRequest{KeyId: &key})
	if err == nil {
		_, err = client.KMS.EnableKey(within(t, 10*time.Second), &kmsv1.EnableKeyRequest{KeyId: &key})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// overdue copies a backup as one in which a key was to be deleted an hour ago.
func overdue(t *testing.T, path, arn string) string {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close() //nolint:errcheck // only read
	moved := filepath.Join(t.TempDir(), "overdue.backup")
	out, err := os.Create(moved)
	if err != nil {
		t.Fatal(err)
	}
	err = copyBackup(out, bufio.NewReader(in), func(e metadata.Entry) (metadata.Entry, error) {
		if e.Key != metadataKey(arn) {
			return e, nil
		}
		record := new(storagev1.KeyRecord)
		if err := proto.Unmarshal(e.Value[1:], record); err != nil {
			return e, err
		}
		record.DeletionDate = timestamppb.New(time.Now().Add(-time.Hour))
		e.Value, err = proto.MarshalOptions{}.MarshalAppend(e.Value[:1:1], record)
		return e, err
	})
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	return moved
}

// copyBackup copies a backup with its entries changed.
func copyBackup(out io.Writer, in io.Reader, change func(metadata.Entry) (metadata.Entry, error)) error {
	r, err := archive.NewReader(in)
	if err != nil {
		return err
	}
	w, err := archive.NewWriter(out, r.Header())
	if err != nil {
		return err
	}
	for e, err := range r.Entries() {
		if err == nil {
			e, err = change(e)
		}
		if err == nil {
			err = w.Entry(e)
		}
		if err != nil {
			return err
		}
	}
	for {
		s, data, err := r.NextSegment()
		if errors.Is(err, io.EOF) {
			_, err = w.Close()
			return err
		}
		if err == nil {
			err = w.Segment(s, data)
		}
		if err != nil {
			return err
		}
	}
}
