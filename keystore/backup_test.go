package keystore

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// A backup has every entry as it is in the store, and the journal to its head.
func TestBackupHoldsMetadataAndJournal(t *testing.T) {
	s := startService(t)
	_, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{})
	s.must(err)
	want, revision, err := s.store.Range(t.Context(), s.scope.prefix())
	s.must(err)
	var file bytes.Buffer
	s.must(s.backup(t.Context(), &file))
	head := s.trail.Cut().Head

	a, err := archive.NewReader(&file)
	s.must(err)
	var got []metadata.Entry
	keys := 0
	for e, err := range a.Entries() {
		s.must(err)
		got = append(got, e)
		if IsKey(a.Header(), e) {
			keys++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || keys != 1 {
		t.Errorf("%d keys of 1, entries (-want +got):\n%s", keys, diff)
	}
	h := a.Header()
	if h.Revision != revision || h.HeadSequence != head.Seq || h.HeadHash != head.Hash.String() || h.Journal != s.journal {
		t.Errorf("the header is %+v, want revision %d and head %+v of journal %s", h, revision, head, s.journal)
	}
	check := audit.NewChecker()
	for {
		segment, r, err := a.NextSegment()
		if errors.Is(err, io.EOF) {
			break
		}
		s.must(err)
		s.must(check.Segment(segment.Number, segment.Length, r))
	}
	if got := check.Report(); got.Head != head.Hash || got.Last != head.Seq {
		t.Errorf("the journal in it ends at %d, %v, want %+v", got.Last, got.Head, head)
	}
	if file.Len() != 0 {
		t.Errorf("%d bytes of the backup were not read", file.Len())
	}
}

// While a change is under way a backup waits, no longer than its context lives.
func TestBackupWaitsForChanges(t *testing.T) {
	s := startService(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.atRest(t.Context(), func(context.Context) error { // stands for a change that does not end
		cancel()
		return s.backup(ctx, io.Discard)
	})
	if err == nil {
		t.Error("two had changes held back at a time")
	}
}

func TestRaiseInvocations(t *testing.T) {
	h := archive.Header{Account: "000000000000", Region: "us-east-1", Revision: 9}
	at := scope{h.Account, h.Region}
	used, unused := hsmpool.ObjectID{1}, hsmpool.ObjectID{2}
	entry := func(path string, revision uint64, m proto.Message) metadata.Entry {
		value, err := encodeValue(m)
		if err != nil {
			t.Fatal(err)
		}
		return metadata.Entry{Key: path, Value: value, Revision: revision}
	}
	key := entry(at.keyPrefix()+"k", 3, &storagev1.KeyRecord{BackingKeys: []*storagev1.BackingKey{{Id: used[:]}, {Id: unused[:]}}})
	service := entry(at.servicePath(), 1, &storagev1.ServiceRecord{JournalId: new("j")})
	count := func(id hsmpool.ObjectID, n, revision uint64) metadata.Entry {
		return entry(at.invocations(hex.EncodeToString(id[:])), revision, &storagev1.InvocationRecord{Reserved: &n})
	}
	before := []metadata.Entry{count(used, 1024, 5), key, service}
	want := []metadata.Entry{count(used, 1124, 10), key, count(unused, 100, 10), service}
	var got []metadata.Entry
	for e, err := range RaiseInvocations(h, all(before), 100) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	path := filepath.Join(t.TempDir(), "metadata.db")
	if err := metadata.CreateBolt(path, h.Revision+1, RaiseInvocations(h, all(before), 100)); err != nil {
		t.Errorf("a store of them: %v", err)
	}

	later := metadata.Entry{Key: key.Key, Value: []byte{valueVersion + 1}, Revision: 1}
	for _, err := range RaiseInvocations(h, all([]metadata.Entry{later}), 1) {
		if err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("a value of a later version: %v", err)
		}
	}
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
