package keystore

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const (
	clusterID      = "cluster-abcdefghijk"
	clusterPIN     = "kmsPassword1"
	storeName      = "payments"
	pauseOfATest   = 10 * time.Second
	clusterLibrary = softHSM
)

// testCluster is a cluster of one SoftHSM token of its own.
type testCluster struct {
	t                          testing.TB
	dir, id, anchor            string
	hsms, minActive, perSecond int
	auditor                    func() hsmpool.Auditor
	guard                      func() *hsmpool.PINGuard
	logins                     int
}

func (c *testCluster) ID() string             { return c.id }
func (c *testCluster) TrustAnchor() string    { return c.anchor }
func (c *testCluster) HSMs() int              { return c.hsms }
func (c *testCluster) MinActive() int         { return c.minActive }
func (c *testCluster) RequestsPerSecond() int { return c.perSecond }

func (c *testCluster) env() []string { return workerEnv(c.dir) }

// moveTo gives the cluster a directory without any token.
func (c *testCluster) moveTo(dir string) {
	c.t.Helper()
	c.dir = dir
	tokens := filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "softhsm2.conf"), []byte(softHSMConf(tokens)), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// Connect opens a pool of its token.
func (c *testCluster) Connect(ctx context.Context, password []byte) (ClusterHSM, error) {
	c.logins++
	config := c.config()
	config.PIN.Secret = password
	p, err := hsmpool.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// CheckUnlock looks at its token.
func (c *testCluster) CheckUnlock(ctx context.Context) ([]hsmpool.UnlockCheck, error) {
	return hsmpool.CheckUnlock(ctx, c.config())
}

func (c *testCluster) config() hsmpool.Config {
	return hsmpool.Config{
		Library: clusterLibrary, Token: hsmpool.TokenSelector{Label: c.id[:16]}, Profile: "softhsm", ClusterID: c.id,
		Env: c.env(), Auditor: c.auditor(), Guard: c.guard(),
	}
}

// newAnchor makes a certificate that clusters are known by.
func newAnchor(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// newCluster makes a cluster, with its token, for a service that is not started
// yet.
func (s *service) newCluster(id, anchor string) *testCluster {
	s.t.Helper()
	c := &testCluster{t: s.t, dir: s.t.TempDir(), id: id, anchor: anchor, hsms: 1, minActive: 1, auditor: func() hsmpool.Auditor { return s.trail }}
	c.guard = func() *hsmpool.PINGuard { return hsmpool.NewPINGuard(NewLogins(s.store, testScope.account)) }
	c.moveTo(c.dir)
	trail, _, err := openTrail(s.path("journal"))
	s.must(err)
	ctx, cancel := context.WithTimeout(context.Background(), pauseOfATest)
	defer cancel()
	s.must(hsmpool.InitToken(ctx, hsmpool.InitConfig{
		Library: clusterLibrary, Label: id[:16], Env: c.env(), Auditor: trail,
		PIN: hsmpool.PINSource{Secret: []byte(clusterPIN)}, SOPIN: hsmpool.PINSource{Secret: []byte("so-" + clusterPIN)},
	}))
	s.must(trail.Close(ctx))
	return c
}

// startWithClusters starts a service with clusters.
func startWithClusters(t testing.TB, ids ...string) (*service, []*testCluster) {
	t.Helper()
	s := newService(t)
	s.initToken()
	var made []*testCluster
	for _, id := range ids {
		c := s.newCluster(id, newAnchor(t))
		made, s.with = append(made, c), append(s.with, c)
	}
	s.start()
	t.Cleanup(s.stop)
	return s, made
}

// createRequest asks for a store of a cluster.
func createRequest(c Cluster) *kmsv1.CreateCustomKeyStoreRequest {
	return &kmsv1.CreateCustomKeyStoreRequest{
		CustomKeyStoreName: new(storeName), CloudHsmClusterId: new(c.ID()),
		TrustAnchorCertificate: new(c.TrustAnchor()), KeyStorePassword: new(clusterPIN),
	}
}

func (s *service) createStore(c Cluster) string {
	s.t.Helper()
	res, err := s.CreateCustomKeyStore(s.as(admin), createRequest(c))
	s.must(err)
	return res.GetCustomKeyStoreId()
}

// entry describes a store.
func (s *service) entry(id string) *kmsv1.CustomKeyStoresListEntry {
	s.t.Helper()
	res, err := s.DescribeCustomKeyStores(s.as(admin), &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreId: &id})
	s.must(err)
	return res.CustomKeyStores[0]
}

// awaitState asks, as clients do, until a store is in a state.
func (s *service) awaitState(id string, want kmsv1.ConnectionStateType) *kmsv1.CustomKeyStoresListEntry {
	s.t.Helper()
	poll, patience := time.NewTicker(2*time.Millisecond), time.After(2*pauseOfATest)
	defer poll.Stop()
	for {
		e := s.entry(id)
		if e.GetConnectionState() == want {
			return e
		}
		select {
		case <-poll.C:
		case <-patience:
			s.t.Fatalf("the store is %v (%v), want %v", e.GetConnectionState(), e.GetConnectionErrorCode(), want)
		}
	}
}

func (s *service) connectStore(id string) {
	s.t.Helper()
	_, err := s.ConnectCustomKeyStore(s.as(admin), &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: &id})
	s.must(err)
}

func (s *service) disconnectStore(id string) {
	s.t.Helper()
	_, err := s.DisconnectCustomKeyStore(s.as(admin), &kmsv1.DisconnectCustomKeyStoreRequest{CustomKeyStoreId: &id})
	s.must(err)
}

// connectedStore makes a store of a cluster and connects it.
func (s *service) connectedStore(c Cluster) string {
	s.t.Helper()
	id := s.createStore(c)
	s.connectStore(id)
	s.awaitState(id, connected)
	return id
}

func inStoreRequest(id string) *kmsv1.CreateKeyRequest {
	return &kmsv1.CreateKeyRequest{Origin: cloudHSM.Enum(), CustomKeyStoreId: &id}
}

func (s *service) createKeyIn(store string) *kmsv1.KeyMetadata {
	s.t.Helper()
	res, err := s.CreateKey(s.as(admin), inStoreRequest(store))
	s.must(err)
	return res.KeyMetadata
}
