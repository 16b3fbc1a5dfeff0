package keystore

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// testHeader is that of a backup of testScope.
var testHeader = archive.Header{Account: testScope.account, Regions: []string{testScope.region}, Revision: 9}

func TestRestoredCountsAreRaised(t *testing.T) {
	t.Parallel()
	used, unused, worn := hsmpool.ObjectID{1}, hsmpool.ObjectID{2}, hsmpool.ObjectID{3}
	key := entryOf(t, testScope.keyPrefix()+"k", 3, &storagev1.KeyRecord{BackingKeys: []*storagev1.BackingKey{{Id: used[:]}, {Id: unused[:]}}})
	service := entryOf(t, testScope.servicePath(), 1, &storagev1.ServiceRecord{JournalId: new("j")})
	count := func(id hsmpool.ObjectID, n, revision uint64) metadata.Entry {
		return entryOf(t, testScope.invocations(id.String()), revision, &storagev1.InvocationRecord{Reserved: &n})
	}
	before := []metadata.Entry{count(used, 1024, 5), count(worn, math.MaxUint64, 5), key, service}
	want := []metadata.Entry{count(used, 1124, 10), count(worn, farBeyond+100, 10), key, count(unused, 100, 10), service}
	r := Restoration{Records: 100}
	if diff := cmp.Diff(want, restored(t, &r, before)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, restored(t, &Restoration{}, before)); diff != "" {
		t.Errorf("entries beside a journal that has not gone on (-want +got):\n%s", diff)
	}
	path := filepath.Join(t.TempDir(), "metadata.db")
	if err := metadata.CreateBolt(path, r.Revision(testHeader), r.Entries(testHeader, all(before))); err != nil {
		t.Errorf("a store of them: %v", err)
	}

	later := metadata.Entry{Key: key.Key, Value: []byte{valueVersion + 1}, Revision: 1}
	for _, err := range r.Entries(testHeader, all([]metadata.Entry{later})) {
		if err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("a value of a later version: %v", err)
		}
	}
}

// No key that could still be kept falls due within a week of the restore.
func TestRestoredDeletionsCanBeCancelled(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:kms:us-east-1:000000000000:key/k"
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	pending := func(due time.Duration) *storagev1.KeyRecord {
		return &storagev1.KeyRecord{
			Arn: new(arn), State: pendingDeletion.Enum(), ChangedBy: new("schedule"),
			DeletionDate: timestamppb.New(now.Add(due)), PendingWindowInDays: new(int32(7)),
		}
	}
	begun := pending(-day)
	begun.DeletionStarted = timestamppb.New(now.Add(-day))
	kept := &storagev1.KeyRecord{Arn: new(arn), State: disabled.Enum(), ChangedBy: new("cancel")}
	change := func(name, key, failure string) []audit.Change {
		return []audit.Change{{Intent: audit.Intent{RequestID: "cancel", EventName: name, KeyARN: key}, ErrorCode: failure}}
	}
	tests := map[string]struct {
		record, want *storagev1.KeyRecord
		changes      []audit.Change
		listed       []Deletion
	}{
		"enabled":            {record: &storagev1.KeyRecord{State: enabled.Enum()}, want: &storagev1.KeyRecord{State: enabled.Enum()}},
		"due":                {record: pending(-day), want: pending(7 * day), listed: []Deletion{{KeyARN: arn, Date: now.Add(7 * day)}}},
		"due soon":           {record: pending(day), want: pending(7 * day), listed: []Deletion{{KeyARN: arn, Date: now.Add(7 * day)}}},
		"due later":          {record: pending(8 * day), want: pending(8 * day), listed: []Deletion{{KeyARN: arn, Date: now.Add(8 * day)}}},
		"begun":              {record: begun, want: begun, listed: []Deletion{{KeyARN: arn, Date: now.Add(-day), Begun: true}}},
		"begun, cancelled":   {record: begun, want: begun, changes: change("CancelKeyDeletion", arn, ""), listed: []Deletion{{KeyARN: arn, Date: now.Add(-day), Begun: true}}},
		"cancelled":          {record: pending(-day), want: kept, changes: change("CancelKeyDeletion", arn, "")},
		"cancelled, perhaps": {record: pending(-day), want: kept, changes: change("CancelKeyDeletion", arn, "KMSInternalException")},
		"another cancelled":  {record: pending(8 * day), want: pending(8 * day), changes: change("CancelKeyDeletion", arn+"2", ""), listed: []Deletion{{KeyARN: arn, Date: now.Add(8 * day)}}},
		"changed in another": {record: pending(8 * day), want: pending(8 * day), changes: change("TagResource", arn, ""), listed: []Deletion{{KeyARN: arn, Date: now.Add(8 * day)}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := testScope.keyPrefix() + "k"
			r := Restoration{Now: now, Changes: test.changes}
			got := restored(t, &r, []metadata.Entry{entryOf(t, path, 3, test.record)})
			revision := uint64(3)
			if test.record.GetState() == pendingDeletion {
				revision = 10
			}
			if diff := cmp.Diff([]metadata.Entry{entryOf(t, path, revision, test.want)}, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.listed, r.Deletions); diff != "" {
				t.Errorf("deletions (-want +got):\n%s", diff)
			}
		})
	}
}

func entryOf(t *testing.T, path string, revision uint64, m proto.Message) metadata.Entry {
	t.Helper()
	value, err := encodeValue(m)
	if err != nil {
		t.Fatal(err)
	}
	return metadata.Entry{Key: path, Value: value, Revision: revision}
}

func restored(t *testing.T, r *Restoration, before []metadata.Entry) (after []metadata.Entry) {
	t.Helper()
	for e, err := range r.Entries(testHeader, all(before)) {
		if err != nil {
			t.Fatal(err)
		}
		after = append(after, e)
	}
	return after
}

func all(entries []metadata.Entry) func(func(metadata.Entry, error) bool) {
	return func(yield func(metadata.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}
