package keystore

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/hsmpool"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// awayCluster is a cluster that never answers, so that a killed process has done
// the same steps each time.
type awayCluster struct{ id, anchor string }

func (c awayCluster) ID() string           { return c.id }
func (c awayCluster) TrustAnchor() string  { return c.anchor }
func (awayCluster) HSMs() int              { return 1 }
func (awayCluster) MinActive() int         { return 1 }
func (awayCluster) RequestsPerSecond() int { return 0 }

func (awayCluster) Connect(ctx context.Context, _ []byte) (ClusterHSM, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (awayCluster) CheckUnlock(context.Context) ([]hsmpool.UnlockCheck, error) {
	return nil, &hsmpool.Error{Class: hsmpool.Unavailable}
}

const (
	spareCluster   = "cluster-spare222222"
	runningCluster = "cluster-running2222"
	freeCluster    = "cluster-free2222222"
)

func awayClusters() []Cluster {
	var all []Cluster
	for _, id := range []string{spareCluster, runningCluster, freeCluster} {
		all = append(all, awayCluster{id, "-----BEGIN CERTIFICATE-----\n" + id[8:16] + "\n-----END CERTIFICATE-----\n"})
	}
	return all
}

// addStores makes a custom key store that is disconnected and one that is to be
// connected.
func (s *service) addStores() {
	s.t.Helper()
	for name, cluster := range map[string]int{"spare": 0, "running": 1} {
		_, err := s.CreateCustomKeyStore(s.as(admin), s.storeRequest(name, cluster))
		s.must(err)
	}
	s.connectStore(s.storeID("running"))
}

// storeRequest asks for a store of one of the clusters.
func (s *service) storeRequest(name string, cluster int) *kmsv1.CreateCustomKeyStoreRequest {
	c := awayClusters()[cluster]
	return &kmsv1.CreateCustomKeyStoreRequest{
		CustomKeyStoreName: &name, CloudHsmClusterId: new(c.ID()), TrustAnchorCertificate: new(c.TrustAnchor()), KeyStorePassword: new(clusterPIN),
	}
}

func (s *service) storeID(name string) string { return s.view.storeNamed(name).id }

// storeOperations change custom key stores.
func storeOperations() []operation {
	return []operation{
		{name: "CreateCustomKeyStore", undone: undone,
			do: asks((*Keystore).CreateCustomKeyStore, func(s *service) *kmsv1.CreateCustomKeyStoreRequest {
				return s.storeRequest("made", 2)
			}),
			apply: func(w world) { w.Stores["made"] = disconnected }},
		{name: "UpdateCustomKeyStore", undone: noEffect,
			do: asks((*Keystore).UpdateCustomKeyStore, func(s *service) *kmsv1.UpdateCustomKeyStoreRequest {
				return &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: new(s.storeID("spare")), NewCustomKeyStoreName: new("renamed"), KeyStorePassword: new("another password")}
			}),
			apply: func(w world) { delete(w.Stores, "spare"); w.Stores["renamed"] = disconnected }},
		{name: "ConnectCustomKeyStore", undone: noEffect,
			do: asks((*Keystore).ConnectCustomKeyStore, func(s *service) *kmsv1.ConnectCustomKeyStoreRequest {
				return &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: new(s.storeID("spare"))}
			}),
			apply: func(w world) { w.Stores["spare"] = connected }},
		{name: "DisconnectCustomKeyStore", undone: noEffect,
			do: asks((*Keystore).DisconnectCustomKeyStore, func(s *service) *kmsv1.DisconnectCustomKeyStoreRequest {
				return &kmsv1.DisconnectCustomKeyStoreRequest{CustomKeyStoreId: new(s.storeID("running"))}
			}),
			apply: func(w world) { w.Stores["running"] = disconnected }},
		{name: "DeleteCustomKeyStore", undone: noEffect,
			do: asks((*Keystore).DeleteCustomKeyStore, func(s *service) *kmsv1.DeleteCustomKeyStoreRequest {
				return &kmsv1.DeleteCustomKeyStoreRequest{CustomKeyStoreId: new(s.storeID("spare"))}
			}),
			apply: func(w world) { delete(w.Stores, "spare") }},
	}
}

// addStoresTo adds to a world the custom key stores as they are to be.
func (s *service) addStoresTo(w world) {
	stores, _ := s.view.storePage("", maxStores)
	for _, c := range stores {
		w.Stores[c.record.GetName()] = c.record.GetState()
	}
}

// A request that made key material in a custom key store and was cut off is
// settled when the store is connected, which is after the start.
func TestMaterialLeftInACustomKeyStoreIsDestroyedWhenItIsConnected(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	store := s.connectedStore(clusters[0])
	record := s.newKeyRecord(inStoreRequest(store))
	i := createKeyIntent(uuid.NewString(), record)
	i.CustomKeyStoreID = store
	s.must(s.trail.RecordIntent(t.Context(), i))
	_, err := s.hsms()[store].Generate(t.Context(), hsmpool.GenerateRequest{ID: newestID(record), Label: record.GetArn(), Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	s.must(err)
	s.disconnectStore(store)
	s.awaitState(store, disconnected)
	s.stop()
	s.start()
	if !s.trail.IntentIsOpen(i.RequestID) {
		t.Fatal("the request is settled although its store is away")
	}
	s.connectStore(store)
	s.awaitState(store, connected)
	if e := s.awaitEvent("CreateKey", 1); e.RequestID != i.RequestID || e.ErrorMessage != undone {
		t.Errorf("the event is %+v", e)
	}
	objects, err := s.hsms()[store].Objects(t.Context())
	s.must(err)
	if len(objects) != 0 {
		t.Errorf("the cluster has %v", objects)
	}
}

// As with AWS the destruction of a key's material in a cluster is tried once: the
// cluster may be away for good.
func TestAKeyOfADisconnectedStoreIsDeletedAndItsMaterialLeft(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := newService(t)
	s.initToken()
	s.with = append(s.with, s.newCluster(clusterID, newAnchor(t)))
	s.start()
	store := s.connectedStore(s.with[0].(*testCluster))
	for range 2 {
		s.schedule(s.createKeyIn(store).KeyId)
	}
	s.disconnectStore(store)
	s.awaitState(store, disconnected)
	s.stop()
	s.now = func() time.Time { return now.Add(8 * 24 * time.Hour) }
	s.start()
	defer s.stop()
	s.awaitEvent(deleteKey, 2)
	for _, e := range s.events() {
		if e.EventName != deleteKey {
			continue
		}
		if status, _ := e.AdditionalEventData["backingKeysDeletionStatus"].(string); e.ErrorCode != "" || !strings.Contains(status, "FAILURE") || e.AdditionalEventData["customKeyStoreId"] != store || e.AdditionalEventData["clusterId"] != clusterID {
			t.Errorf("the event says %v %v", e.ErrorCode, e.AdditionalEventData)
		}
	}
	s.connectStore(store)
	s.awaitState(store, connected)
	if list := s.orphanList(); len(list.TokenOrphans) != 2 || !list.TokenOrphans[0].GetOurs() {
		t.Errorf("the orphans are %v, want the material that was left", list)
	}
}
