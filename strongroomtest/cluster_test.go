package strongroomtest_test

import (
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

func TestClusters(t *testing.T) {
	const first, second, copied = "cluster-aaaaaaaaaaa", "cluster-bbbbbbbbbbb", "cluster-ccccccccccc"
	server := strongroomtest.Start(t,
		strongroomtest.WithCluster(strongroomtest.ClusterConfig{ID: first}),
		strongroomtest.WithCluster(strongroomtest.ClusterConfig{ID: second, MinActiveHSMs: 2, RequestsPerSecond: 10}),
		strongroomtest.WithCluster(strongroomtest.ClusterConfig{ID: copied, RelatedTo: first}),
	)
	a, b, c := server.Cluster(first), server.Cluster(second), server.Cluster(copied)
	for _, cluster := range []strongroomtest.Cluster{a, b, c} {
		if len(cluster.Password) != 26 || !strings.HasPrefix(cluster.TrustAnchor, "-----BEGIN CERTIFICATE-----\n") {
			t.Errorf("%+v cannot be that of a key store", cluster)
		}
	}
	if a.Password == b.Password || a.Password == c.Password || a.TrustAnchor == b.TrustAnchor || a.TrustAnchor != c.TrustAnchor {
		t.Errorf("clusters that should share a trust anchor, and nothing else: %+v, %+v; and another: %+v", a, c, b)
	}
	server.Restart()
	if again := server.Cluster(first); again != a {
		t.Errorf("a restart made %+v of %+v", again, a)
	}
	logins := 0
	for _, e := range server.HSMLog() {
		if e.Function == "C_Login" && e.UserType == audit.UserTypeCryptoUser {
			logins++
		}
	}
	if logins != 2 { // of the HSM that is in no cluster, at each start
		t.Errorf("%d logins without a connection", logins)
	}
}
