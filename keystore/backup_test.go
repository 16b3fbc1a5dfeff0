package keystore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// A backup has every entry as it is in the store, and the journal to its head.
func TestBackupHoldsMetadataAndJournal(t *testing.T) {
	t.Parallel()
	s := startService(t)
	_, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{})
	s.must(err)
	want, revision, err := s.store.Range(t.Context(), s.regions.prefix())
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
		if IsKey(e) {
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
	s.must(check.Complete())
	if got := check.Report(); got.Head != head.Hash || got.Last != head.Seq {
		t.Errorf("the journal in it ends at %d, %v, want %+v", got.Last, got.Head, head)
	}
	if file.Len() != 0 {
		t.Errorf("%d bytes of the backup were not read", file.Len())
	}
}

// A backup that retention overtakes fails, and says that another one may not.
func TestBackupOvertakenByRetention(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.stop()
	s.start()
	overtake := func(b []byte) (int, error) {
		_, err := s.trail.Trim(t.Context(), s.trail.Head().Seq)
		return len(b), err
	}
	err := s.backup(t.Context(), writerFunc(overtake))
	if got := unreadable(err); got.Kind != annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE || !errors.Is(got, journal.ErrTrimmed) {
		t.Errorf("%v (%v), want it unavailable for what was removed", got, err)
	}
	s.must(s.backup(t.Context(), io.Discard))
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(b []byte) (int, error) { return w(b) }

// While a change is under way a backup waits, no longer than its context lives.
func TestBackupWaitsForChanges(t *testing.T) {
	t.Parallel()
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
