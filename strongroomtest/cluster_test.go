package strongroomtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

func TestClusters(t *testing.T) {
	const first, second, copied = "cluster-aaaaaaaaaaa", "cluster-bbbbbbbbbbb", "cluster-ccccccccccc"
	server := strongroomtest.Start(t,
		strongroomtest.WithCluster(strongroomtest.ClusterConfig{ID: first}),
		strongroomtest.WithCluster(strongroomtest.ClusterConfig{ID: second, RequestsPerSecond: 10}),
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

// TestACustomKeyStore makes one, uses a key in it, and finds it again after a restart.
func TestACustomKeyStore(t *testing.T) {
	const id = "cluster-aaaaaaaaaaa"
	server := strongroomtest.Start(t, strongroomtest.WithCluster(strongroomtest.ClusterConfig{ID: id}))
	kms, cluster := server.Admin.KMS, server.Cluster(id)
	name := "payroll"
	made, err := kms.CreateCustomKeyStore(t.Context(), &kmsv1.CreateCustomKeyStoreRequest{
		CustomKeyStoreName: &name, CloudHsmClusterId: &cluster.ID,
		KeyStorePassword: &cluster.Password, TrustAnchorCertificate: &cluster.TrustAnchor,
	})
	if err != nil {
		t.Fatal(err)
	}
	store := made.GetCustomKeyStoreId()
	if _, err := kms.ConnectCustomKeyStore(t.Context(), &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: &store}); err != nil {
		t.Fatal(err)
	}
	awaitConnected(t, server, store)
	key, err := kms.CreateKey(t.Context(), &kmsv1.CreateKeyRequest{CustomKeyStoreId: &store, Origin: kmsv1.OriginType_ORIGIN_TYPE_AWS_CLOUDHSM.Enum()})
	if err != nil {
		t.Fatal(err)
	}
	ciphertext := encrypt(t, server.Client("app"), key.GetKeyMetadata().GetArn())
	server.Restart()
	awaitConnected(t, server, store)
	expectSecret(t, server.Client("app"), ciphertext)
}

// awaitConnected waits until the key store is connected, which no event tells.
func awaitConnected(t *testing.T, server *strongroomtest.Server, store string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		answer, err := server.Admin.KMS.DescribeCustomKeyStores(t.Context(), &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreId: &store})
		if err != nil {
			t.Fatal(err)
		}
		switch s := answer.GetCustomKeyStores()[0]; s.GetConnectionState() {
		case kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTED:
			return
		case kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_FAILED:
			t.Fatalf("the key store is %v", s)
		}
	}
	t.Fatal("the key store is not connected in 30 s")
}
