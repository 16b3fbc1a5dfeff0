package keystore

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// faultyStore is a metadata store whose next Commit is done by a fault.
type faultyStore struct {
	metadata.Store
	next atomic.Pointer[storeFault]
}

// storeFault is given the Commit, and its error is that of the Commit.
type storeFault func(commit func() error) error

func (f *faultyStore) put(c *Config) { f.Store, c.Metadata = c.Metadata, f }

func (f *faultyStore) Commit(ctx context.Context, t metadata.Txn) (revision uint64, err error) {
	commit := func() error {
		revision, err = f.Store.Commit(ctx, t)
		return err
	}
	if fault := f.next.Swap(nil); fault != nil {
		return revision, (*fault)(commit)
	}
	return revision, commit()
}

// TestChangesThatAreNotStored is the table of how the metadata can fail, and
// what is left of a change then.
func TestChangesThatAreNotStored(t *testing.T) {
	t.Parallel()
	const uncertain = "could not be stored for certain; it may have taken effect."
	s, store := newService(t), new(faultyStore)
	s.initToken()
	s.startWith(store.put)
	defer s.stop()
	for _, c := range []struct {
		name    string
		fault   storeFault
		message string
		done    bool
	}{
		{"conflict", func(func() error) error { return metadata.ErrConflict }, "was changed by others meanwhile; nothing was changed. Try again.", false},
		{"unavailable", func(func() error) error { return metadata.ErrUnavailable }, uncertain, false},
		{"unavailable-afterwards", func(commit func() error) error { return errors.Join(commit(), metadata.ErrUnavailable) }, uncertain, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, other, alias := s.createNamed(c.name), s.createNamed("other"), "alias/"+c.name
			expectRefused := func(message string, do func() error) {
				t.Helper()
				store.next.Store(&c.fault)
				err := do()
				if kindOf(err) != annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL || !strings.Contains(AsError(err).Message, message) {
					t.Fatalf("got %v, want %q", err, message)
				}
				if e := s.lastEvent(); e.ErrorMessage != AsError(err).Message {
					t.Errorf("the event is %+v", e)
				}
			}
			expectRefused(c.message, func() error {
				_, err := s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: id})
				return err
			})
			expectRefused(c.message, func() error { return s.createAlias(alias, other) })
			expectRefused("The metadata of the new key material could not be stored.", func() error {
				_, err := s.CreateKey(s.as(admin), new(kmsv1.CreateKeyRequest))
				return err
			})
			record := new(storagev1.KeyRecord)
			_, err := s.stored(t.Context(), s.scope.keyPath(uuid.MustParse(*id)), record)
			s.must(err)
			named, err := s.stored(t.Context(), s.scope.aliasPath(alias), new(storagev1.AliasRecord))
			s.must(err)
			if changed := record.GetState() == disabled; changed != c.done || named != c.done {
				t.Errorf("the key is disabled: %t, the alias there: %t, want %t", changed, named, c.done)
			}
		})
	}
	s.createKey() // whereupon the view shows all that was stored before
	s.expectOneTruth()
}

// TestChangesOfOneKeyAtOnceAreAllMade has every change of a key wait for the
// others, and none of them fail.
func TestChangesOfOneKeyAtOnceAreAllMade(t *testing.T) {
	t.Parallel()
	s := startService(t)
	id := s.createNamed("target")
	changes := map[string]func() error{
		"enabled": func() error {
			_, err := s.EnableKey(s.as(admin), &kmsv1.EnableKeyRequest{KeyId: id})
			return err
		},
		"described": func() error {
			_, err := s.UpdateKeyDescription(s.as(admin), &kmsv1.UpdateKeyDescriptionRequest{KeyId: id, Description: new("changed")})
			return err
		},
		"renewed":     func() error { return s.renewNow(s.as(admin), id) },
		"named":       func() error { return s.createAlias("alias/one", id) },
		"named again": func() error { return s.createAlias("alias/two", id) },
	}
	var work sync.WaitGroup
	start := make(chan struct{})
	for name, change := range changes {
		work.Go(func() {
			<-start
			if err := change(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	close(start)
	work.Wait()
	w := s.world(map[uuid.UUID]string{uuid.MustParse(*id): "target"})
	if got, want := w.Keys["target"], (worldKey{State: enabled, Description: "changed", Materials: 2}); got != want || len(w.Aliases) != 2 {
		t.Errorf("the key is %+v with the aliases %v, want %+v", got, w.Aliases, want)
	}
	s.expectOneTruth()
}
