package keystore

import (
	"os"
	"strings"
	"testing"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// TestLostStateIsNotTakenForAFirstStart loses or changes what a data directory
// has, and expects a refusal that says what was lost.
func TestLostStateIsNotTakenForAFirstStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		lose  func(*service) error
		words string
	}{
		{"journal", func(s *service) error { return os.RemoveAll(s.path("journal")) }, "the journal was lost or replaced"},
		{"metadata", func(s *service) error { return os.Remove(s.path("metadata.db")) }, "metadata.db was lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			s.initToken()
			s.start()
			s.createKey()
			s.stop()
			s.must(c.lose(s))
			err := s.tryStart()
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("the start gave %v, want %q", err, c.words)
			}
			s.closeParts()

			s.accept = true
			s.start()
			if e := s.lastEvent(); e.EventName != "AcceptNewJournal" {
				t.Errorf("the newest event is %+v", e)
			}
			s.stop()
			s.accept = false
			s.start() // and from then on without
			s.stop()
		})
	}
}

// TestMetadataThatLostChangesIsRefused puts an older copy of the metadata back:
// a key that was disabled would be enabled again, and nobody would know.
func TestMetadataThatLostChangesIsRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.start()
	id := s.createKey().KeyId
	s.stop()
	older, err := os.ReadFile(s.path("metadata.db"))
	s.must(err)
	s.start()
	_, err = s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: id})
	s.must(err)
	s.stop()
	s.write("metadata.db", string(older))

	err = s.tryStart()
	if err == nil || !strings.Contains(err.Error(), "metadata.db is an older copy or damaged") || !strings.Contains(err.Error(), "restore --metadata-only") {
		t.Errorf("the start gave %v", err)
	}
	s.closeParts()
	s.accept = true
	s.start()
	if e := s.lastEvent(); e.EventName != "AcceptNewJournal" {
		t.Errorf("the newest event is %+v", e)
	}
	s.stop()
	s.accept = false
	s.start() // and from then on without
	s.stop()
}
