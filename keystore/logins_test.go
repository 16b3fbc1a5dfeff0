package keystore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

func openLogins(t *testing.T, path string) (*Logins, *metadata.Bolt) {
	t.Helper()
	store, err := metadata.OpenBolt(path, metadata.BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return NewLogins(store, testScope.account), store
}

func begin(h *hsmpool.LoginHistory) { h.Open++ }

// knownLogins is what is known, which it does not change.
func knownLogins(t *testing.T, l *Logins, serial string) hsmpool.LoginHistory {
	t.Helper()
	known, err := l.Update(t.Context(), serial, func(*hsmpool.LoginHistory) {})
	if err != nil {
		t.Fatal(err)
	}
	return known
}

// What is known of a login outlasts the process; tokens are told apart by any serial.
func TestLoginsAreKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "metadata.db")
	logins, store := openLogins(t, path)
	refused := hsmpool.LoginHistory{Open: 1, Refused: []hsmpool.RefusedPIN{
		{Salt: []byte("salt"), Hash: []byte("one"), At: time.Unix(1795408621, 5).UTC()},
		{Salt: []byte("salt"), Hash: []byte("two"), At: time.Unix(1795408622, 0).UTC()},
	}}
	serials := []string{"0123456789abcdef", "01 23/45", "\u00e9", "%20"}
	for _, serial := range serials {
		if _, err := logins.Update(t.Context(), serial, func(h *hsmpool.LoginHistory) { *h = refused }); err != nil {
			t.Fatalf("%q: %v", serial, err)
		}
	}
	if _, err := logins.Update(t.Context(), serials[0], func(h *hsmpool.LoginHistory) { *h = hsmpool.LoginHistory{} }); err != nil {
		t.Fatal(err)
	}
	_, revision, err := store.Range(t.Context(), testScope.globalPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	logins, store = openLogins(t, path)
	for i, serial := range serials {
		want := refused
		if i == 0 {
			want = hsmpool.LoginHistory{}
		}
		if diff := cmp.Diff(want, knownLogins(t, logins, serial)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", serial, diff)
		}
	}
	if entries, now, err := store.Range(t.Context(), testScope.loginPrefix()); err != nil || now != revision || len(entries) != len(serials) {
		t.Errorf("%d records at revision %d, want %d at %d; %v", len(entries), now, len(serials), revision, err)
	}
}

// Servers that share a store lose nothing of what the other has noted.
func TestLoginsOfSeveralServers(t *testing.T) {
	t.Parallel()
	logins, store := openLogins(t, filepath.Join(t.TempDir(), "metadata.db"))
	const each = 20
	var servers sync.WaitGroup
	for _, l := range []*Logins{logins, NewLogins(store, testScope.account)} {
		servers.Go(func() {
			for range each {
				if _, err := l.Update(t.Context(), "serial", begin); err != nil {
					t.Error(err)
				}
			}
		})
	}
	servers.Wait()
	if got := knownLogins(t, logins, "serial").Open; got != 2*each {
		t.Errorf("%d logins are noted of %d", got, 2*each)
	}
}

// A record that this binary does not understand keeps it from trying a PIN.
func TestLoginsOfALaterVersion(t *testing.T) {
	t.Parallel()
	logins, store := openLogins(t, filepath.Join(t.TempDir(), "metadata.db"))
	put := metadata.Txn{Puts: []metadata.KeyValue{{Key: testScope.loginPath("serial"), Value: []byte{valueVersion + 1}}}}
	if _, err := store.Commit(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	if _, err := logins.Update(t.Context(), "serial", begin); err == nil {
		t.Error("it was overwritten")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := logins.Update(ended, "other", begin); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

// After a restore nobody knows what became of the logins since the backup.
func TestRestoredLoginsAreDoubtful(t *testing.T) {
	t.Parallel()
	refused := []*storagev1.RefusedPinRecord{{Salt: []byte("salt"), Hash: []byte("hash"), RefusedAt: timestamppb.New(time.Unix(1795408621, 0))}}
	for _, test := range []struct{ before, want *storagev1.LoginRecord }{
		{&storagev1.LoginRecord{}, &storagev1.LoginRecord{OpenAttempts: new(uint32(1))}},
		{&storagev1.LoginRecord{Refused: refused}, &storagev1.LoginRecord{Refused: refused, OpenAttempts: new(uint32(1))}},
		{&storagev1.LoginRecord{OpenAttempts: new(uint32(3))}, &storagev1.LoginRecord{OpenAttempts: new(uint32(3))}},
	} {
		path := testScope.loginPath("serial")
		got := restored(t, &Restoration{}, []metadata.Entry{entryOf(t, path, 3, test.before)})
		if diff := cmp.Diff([]metadata.Entry{entryOf(t, path, 10, test.want)}, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.before, diff)
		}
	}
}

// Bind finds out whether the metadata has lost changes before a login is noted in it, which
// would raise its revision.
func TestMetadataIsComparedBeforeLoginsAreNoted(t *testing.T) {
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
	if err := s.tryStart(); err == nil {
		t.Fatal("it starts on older metadata")
	}
	c := s.config()
	if err := Bind(t.Context(), c, c.Region); err == nil || !strings.Contains(err.Error(), "metadata.db is an older copy or damaged") {
		t.Errorf("Bind: %v", err)
	}
	c.AcceptNewJournal = true
	if err := Bind(t.Context(), c, c.Region); err != nil {
		t.Fatal(err)
	}
	s.closeParts()
	s.start() // it is accepted
	if e := s.lastEvent(); e.EventName != "AcceptNewJournal" {
		t.Errorf("the newest event is %+v", e)
	}
	s.stop()
}
