package keystore

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// The HSMs of all stores that are connected are told, each with whose it is.
func TestMembersOfAllStores(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	store := s.createStore(clusters[0])
	type member struct{ store, region, cluster string }
	members := func() (all []member) {
		for _, m := range s.regions.Members() {
			if m.State != hsmpool.Ready {
				t.Errorf("%s is %s", m.HSMID, m.State)
			}
			all = append(all, member{m.Store, m.Region, m.ClusterID})
		}
		return all
	}
	own := member{"", testScope.region, s.pool.Describe()[0].ClusterID}
	if diff := cmp.Diff([]member{own}, members(), cmp.AllowUnexported(member{})); diff != "" {
		t.Errorf("before the store is connected (-want +got):\n%s", diff)
	}
	s.connectStore(store)
	s.awaitState(store, connected)
	if diff := cmp.Diff([]member{own, {store, testScope.region, clusterID}}, members(), cmp.AllowUnexported(member{})); diff != "" {
		t.Errorf("when the store is connected (-want +got):\n%s", diff)
	}
}

// An HSM of any store can be taken out of service, and into it again.
func TestMembersAreWithdrawn(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	s.connectedStore(clusters[0])
	for i, m := range s.regions.Members() {
		s.must(s.regions.Withdraw(m.HSMID, "it is too hot"))
		if got := s.regions.Members()[i]; got.State != hsmpool.Suspended || got.Withdrawn != "it is too hot" {
			t.Errorf("%s is %s, withdrawn for %q", m.HSMID, got.State, got.Withdrawn)
		}
		s.must(s.regions.Restore(m.HSMID))
		if got := s.regions.Members()[i]; got.State != hsmpool.Ready || got.Withdrawn != "" {
			t.Errorf("%s is %s again, withdrawn for %q", m.HSMID, got.State, got.Withdrawn)
		}
	}
	if err := s.regions.Withdraw("hsm-nowhere2345", "why not"); err == nil {
		t.Error("an HSM that there is not was withdrawn")
	}
}

func TestPrincipalsAreCounted(t *testing.T) {
	t.Parallel()
	s := startService(t)
	before := s.regions.Principals()
	_, err := s.Operator().PutPrincipal(s.as(admin), &operatorv1.PutPrincipalRequest{Arn: new("arn:aws:iam::000000000000:user/another"), Policies: []string{"user"}})
	s.must(err)
	if got := s.regions.Principals(); got != before+1 {
		t.Errorf("%d principals after another was put beside %d", got, before)
	}
}
