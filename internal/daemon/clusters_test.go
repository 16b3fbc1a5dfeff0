package daemon

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/worker"
	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/keystore"
)

const (
	softHSM  = "/usr/lib/softhsm/libsofthsm2.so"
	password = "a-Password-of-25-letters!"
)

// TestMain lets the test binary be its own worker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hsm-worker" {
		os.Exit(worker.Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// clusterSite is a daemon with two clusters, each a SoftHSM token in a directory of
// its own, and of the same label.
type clusterSite struct {
	*daemon

	mu  sync.Mutex // of the log, which workers go on writing
	log bytes.Buffer
}

func (s *clusterSite) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func newClusterSite(t *testing.T) *clusterSite {
	t.Helper()
	if _, err := os.Stat(softHSM); err != nil {
		t.Skipf("SoftHSM is not installed: %v", err)
	}
	s := new(clusterSite)
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &s.log, Mutex: &s.mu})
	s.daemon = &daemon{config: new(config.Config), logger: logger, trustAnchors: []string{"soft anchor", "cloud anchor"}}
	var err error
	if s.trail, _, err = audit.Open(audit.Options{Dir: filepath.Join(t.TempDir(), "journal")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.trail.Close(context.Background()) })
	s.addCluster(t, config.Cluster{ID: "cluster-softsoftsof"}, "softhsm", password)
	s.addCluster(t, config.Cluster{ID: "cluster-CLOUDCLOUDC", MinActiveHSMs: 2, RequestsPerSecond: 1800}, "cloudhsm", "kmsuser:"+password)
	return s
}

// addCluster makes the cluster's token, whose user has this PIN.
func (s *clusterSite) addCluster(t *testing.T, c config.Cluster, profile, pin string) {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Device = config.Device{
		Library: softHSM, Token: config.Token{Label: "cluster"}, Profile: profile, Sessions: 1,
		Env: map[string]string{"SOFTHSM2_CONF": conf, "GORACE": "atexit_sleep_ms=0"},
	}
	err := hsmpool.InitToken(t.Context(), hsmpool.InitConfig{
		Library: softHSM, Label: "cluster", Env: Environment(c.Env), Auditor: s.trail,
		SOPIN: hsmpool.PINSource{Secret: []byte("officer-0815")}, PIN: hsmpool.PINSource{Secret: []byte(pin)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.config.Clusters = append(s.config.Clusters, c)
}

func connected(t *testing.T, c keystore.Cluster) keystore.ClusterHSM {
	t.Helper()
	given := []byte(password)
	hsm, err := c.Connect(t.Context(), given)
	if err != nil {
		t.Fatalf("%s: %v", c.ID(), err)
	}
	t.Cleanup(func() {
		if err := hsm.Close(context.Background()); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	if string(given) != password {
		t.Error("the password is its owner's to wipe")
	}
	return hsm
}

// Both clusters are connected at the same time, each to its own token, by the PIN
// that its profile has.
func TestClustersConnect(t *testing.T) {
	s := newClusterSite(t)
	clusters := s.clusters()
	soft, cloud := clusters[0], clusters[1]
	if soft.HSMs() != 1 || soft.MinActive() != 1 || soft.RequestsPerSecond() != 0 || soft.TrustAnchor() != "soft anchor" {
		t.Errorf("defaults: %+v", soft)
	}
	if cloud.HSMs() != 1 || cloud.MinActive() != 2 || cloud.RequestsPerSecond() != 1800 || cloud.TrustAnchor() != "cloud anchor" {
		t.Errorf("settings: %+v", cloud)
	}
	var serials []string
	for _, c := range clusters {
		hsm := connected(t, c).Describe()[0]
		if hsm.ClusterID != c.ID() || hsm.State != hsmpool.Ready {
			t.Errorf("%s: %+v", c.ID(), hsm)
		}
		serials = append(serials, hsm.Token.Serial)
	}
	if serials[0] == serials[1] {
		t.Error("both clusters are one token")
	}
	if log := s.logged(); !strings.Contains(log, "hsmpool: worker ready: cluster="+cloud.ID()) || strings.Contains(log, password) {
		t.Errorf("the log names no cluster, or has the password:\n%s", log)
	}
}

func TestAClusterRefusesAnotherPassword(t *testing.T) {
	s := newClusterSite(t)
	for _, c := range s.clusters() {
		hsm, err := c.Connect(t.Context(), []byte("another-Password"))
		var e *hsmpool.Error
		if hsm != nil || !errors.As(err, &e) || e.RV != uint32(ckr.PINIncorrect) {
			t.Errorf("%s: got %v, %v", c.ID(), hsm, err)
		}
	}
	if log := s.logged(); strings.Contains(log, "another-Password") {
		t.Errorf("the log has the password:\n%s", log)
	}
}

func TestAServerDoesNotStartWithoutATrustAnchor(t *testing.T) {
	c := new(config.Config)
	c.Clusters = []config.Cluster{{TrustAnchor: "/nonexistent/ca.pem"}}
	d := &daemon{config: c}
	if err := d.readTrustAnchors(t.Context()); err == nil || !strings.Contains(err.Error(), "clusters[0].trust_anchor") {
		t.Errorf("got %v", err)
	}
}
