package keystore

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/hsmpool"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// The figures follow what becomes of keys, also across a restart.
func TestKeyFigures(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	c := s.newCluster("cluster-figures23456", newAnchor(t))
	s.with, s.gcmLimit = []Cluster{c}, 1<<14
	s.start()
	t.Cleanup(s.stop)
	want := KeyFigures{States: map[string]int{
		"Creating": 0, "Enabled": 0, "Disabled": 0, "PendingDeletion": 0, "PendingImport": 0,
		"PendingReplicaDeletion": 0, "Unavailable": 0, "Updating": 0,
	}}
	s.expectFigures("no key", want)

	used, unused := s.createKey(), s.createKey()
	store := s.connectedStore(c)
	s.createKeyIn(store)
	want.States["Enabled"] = 3
	s.expectFigures("three keys", want)

	_, err := s.encrypt(used.GetKeyId())
	s.must(err)
	want.Invocations = float64(firstRange) / float64(s.gcmLimit)
	s.expectFigures("one encrypts", want)

	s.disconnectStore(store)
	s.awaitState(store, disconnected)
	want.States["Enabled"], want.States["Unavailable"] = 2, 1
	s.expectFigures("a store away", want)

	res, err := s.ScheduleKeyDeletion(s.as(admin), &kmsv1.ScheduleKeyDeletionRequest{KeyId: unused.KeyId, PendingWindowInDays: new(int32(7))})
	s.must(err)
	_, err = s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: used.KeyId})
	s.must(err)
	want.States["Enabled"], want.States["PendingDeletion"], want.States["Disabled"] = 0, 1, 1
	want.Deletion = res.GetDeletionDate().AsTime()
	s.expectFigures("one disabled, one to be deleted", want)

	s.stop() // gives back what was not used
	s.start()
	want.Invocations = 1 / float64(s.gcmLimit)
	s.expectFigures("after a restart", want)
}

func (s *service) expectFigures(when string, want KeyFigures) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.regions.KeyFigures()); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// The first to expire counts.
func TestKeyFiguresTellTheFirstExpiry(t *testing.T) {
	t.Parallel()
	s := startService(t)
	first := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	for _, at := range []time.Time{first.Add(time.Hour), first} {
		request := s.wrap(s.awaitingKey(kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT, encryptDecrypt).KeyId, wrapSHA256, make([]byte, 32))
		request.ExpirationModel, request.ValidTo = nil, timestamppb.New(at)
		_, err := s.ImportKeyMaterial(s.as(admin), request)
		s.must(err)
	}
	if got := s.regions.KeyFigures(); !got.Expiry.Equal(first) || got.States["Enabled"] != 2 {
		t.Errorf("the figures are %+v, want the expiry %v", got, first)
	}
}

// BenchmarkKeyFigures is what 10,000 keys cost a scrape that finds nothing in the cache.
func BenchmarkKeyFigures(b *testing.B) {
	v := newView(testScope)
	for i := range 10_000 {
		id, object := uuid.New(), hsmpool.ObjectID{byte(i), byte(i >> 8)}
		v.putKey(&key{id: id, backing: []hsmpool.ObjectID{object}, record: &storagev1.KeyRecord{
			State: enabled.Enum(), BackingKeys: []*storagev1.BackingKey{{Id: object[:]}},
		}})
		v.tally.reserved(object, uint64(i))
	}
	k := &Keystore{view: v}
	for b.Loop() {
		if groups, highest := k.view.figures(); groups[keyGroup{state: enabled}] != 10_000 || highest != 9999 {
			b.Fatal(groups, highest)
		}
	}
}
