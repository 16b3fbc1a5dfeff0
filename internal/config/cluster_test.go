package config_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/internal/config"
)

// clustered is the minimal file with two clusters, the first of which has no more
// than it must.
const clustered = minimal + `  cluster_id: cluster-default2345
  hsm_id: hsm-default2345
clusters:
  - id: cluster-aaaaAAAA222
    library: /lib.so
    token: {label: t}
    profile: softhsm
    env: {SOFTHSM2_CONF: /one.conf}
    trust_anchor: /ca.pem
  - id: cluster-bbbbbbbbbbbbbbbb
    library: /lib.so
    token: {serial: "17"}
    profile: cloudhsm
    sessions: 16
    hang_timeout: 5s
    max_in_flight: 64
    hsm_id: hsm-bbbbbbbbbbb
    trust_anchor: /ca.pem
    min_active_hsms: 1
    requests_per_second: 1800
`

func TestClusters(t *testing.T) {
	c, err := load(t, clustered)
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Cluster{
		{
			ID: "cluster-aaaaAAAA222", TrustAnchor: "/ca.pem",
			Device: config.Device{
				Library: "/lib.so", Token: config.Token{Label: "t"}, Profile: "softhsm",
				Env: map[string]string{"SOFTHSM2_CONF": "/one.conf"},
			},
		},
		{
			ID: "cluster-bbbbbbbbbbbbbbbb", TrustAnchor: "/ca.pem", MinActiveHSMs: 1, RequestsPerSecond: 1800,
			Device: config.Device{
				Library: "/lib.so", Token: config.Token{Serial: "17"}, Profile: "cloudhsm",
				Sessions: 16, HangTimeout: 5 * time.Second, MaxInFlight: 64, HSMID: "hsm-bbbbbbbbbbb",
			},
		},
	}
	if diff := cmp.Diff(want, c.Clusters); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFaultsOfClusters replaces the last occurrence of a part of the file with
// clusters, and wants one error.
func TestFaultsOfClusters(t *testing.T) {
	tests := []struct {
		name, old, new string
		want           string // after the path of the file
	}{
		{"no id", "id: cluster-bbbbbbbbbbbbbbbb", "id: \"\"", `:23: clusters[1].id: is missing`},
		{"short id", "cluster-bbbbbbbbbbbbbbbb", "cluster-bbbbbbbbbb", `:23: clusters[1].id: "cluster-bbbbbbbbbb" is not "cluster-" and 11 to 16 of a-z, A-Z and 2-7`},
		{"long id", "cluster-bbbbbbbbbbbbbbbb", "cluster-bbbbbbbbbbbbbbbbb", `:23: clusters[1].id: "cluster-bbbbbbbbbbbbbbbbb" is not "cluster-" and 11 to 16 of a-z, A-Z and 2-7`},
		{"id twice", "cluster-bbbbbbbbbbbbbbbb", "cluster-aaaaAAAA222", `:23: clusters[1].id: "cluster-aaaaAAAA222" stands at clusters[0].id already`},
		{"id of the default HSM's", "cluster-aaaaAAAA222", "cluster-default2345", `:17: clusters[0].id: "cluster-default2345" stands at hsm.cluster_id already`},
		{"hsm_id of the default HSM", "hsm-bbbbbbbbbbb", "hsm-default2345", `:30: clusters[1].hsm_id: "hsm-default2345" stands at hsm.hsm_id already`},
		{"a pin", "    sessions: 16", "    pin: {file: /pin}", `:27: unknown key "pin"`},
		{"no library", "    library: /lib.so\n", "", `:23: clusters[1].library: is missing`},
		{"no token", "{serial: \"17\"}", "{}", `:25: clusters[1].token: needs exactly one of label, serial, has 0`},
		{"the default token", "    env: {SOFTHSM2_CONF: /one.conf}\n", "", `:19: clusters[0].token: is the token of hsm already, with the same library and environment`},
		{"another cluster's token", "token: {serial: \"17\"}", "token: {label: t}\n    env: {SOFTHSM2_CONF: /one.conf}", `:25: clusters[1].token: is the token of clusters[0] already, with the same library and environment`},
		{"profile", "cloudhsm", "luna", `:26: clusters[1].profile: "luna" is not one of softhsm, cloudhsm, pkcs11`},
		{"environment", "SOFTHSM2_CONF", "SOFT-HSM", `:21: clusters[0].env.SOFT-HSM: is not the name of an environment variable`},
		{"no sessions", "sessions: 16", "sessions: 0", `:27: clusters[1].sessions: 0 is not between 1 and 256`},
		{"hang timeout", "5s", "11m", `:28: clusters[1].hang_timeout: 11m0s is not between 100ms and 10m0s`},
		{"no requests in flight", "max_in_flight: 64", "max_in_flight: 0", `:29: clusters[1].max_in_flight: 0 is not between 1 and 65536`},
		{"no trust anchor", "    trust_anchor: /ca.pem\n", "", `:23: clusters[1].trust_anchor: is missing`},
		{"relative trust anchor", "/ca.pem", "ca.pem", `:31: clusters[1].trust_anchor: "ca.pem" is not an absolute path`},
		{"no HSM", "min_active_hsms: 1", "min_active_hsms: 0", `:32: clusters[1].min_active_hsms: 0 is not between 1 and 1`},
		{"more HSMs than it has", "min_active_hsms: 1", "min_active_hsms: 2", `:32: clusters[1].min_active_hsms: 2 is not between 1 and 1`},
		{"negative quota", "1800", "-1", `:33: clusters[1].requests_per_second: -1 is not between 0 and 1000000`},
		{"no quota that counts", "1800", "1000001", `:33: clusters[1].requests_per_second: 1000001 is not between 0 and 1000000`},
		{"no list", clustered[len(minimal):], "clusters: cluster-aaaaAAAA222\n", `:14: clusters: wants a list`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			at := strings.LastIndex(clustered, tc.old)
			if at < 0 {
				t.Fatalf("the file has no %q to replace", tc.old)
			}
			_, err := load(t, clustered[:at]+tc.new+clustered[at+len(tc.old):])
			var faults config.Errors
			if !errors.As(err, &faults) || len(faults) != 1 {
				t.Fatalf("got %v, want one fault", err)
			}
			if _, after, _ := strings.Cut(err.Error(), "c.yaml"); after != tc.want {
				t.Errorf("got\n%s\nwant\n%s", after, tc.want)
			}
		})
	}
}

// The edges of what is allowed.
func TestEdgesOfClusters(t *testing.T) {
	for _, edit := range [][2]string{
		{"    min_active_hsms: 1\n", ""},
		{"1800", "0"}, {"1800", "1000000"}, {"cluster-bbbbbbbbbbbbbbbb", "cluster-bbbbbbbbbbb"},
	} {
		if _, err := load(t, strings.Replace(clustered, edit[0], edit[1], 1)); err != nil {
			t.Errorf("%s: %v", edit[1], err)
		}
	}
}

func TestTrustAnchors(t *testing.T) {
	good := certificate(t)
	comment := bytes.Repeat([]byte("\n"), 5000-len(good))
	tests := []struct {
		name string
		text []byte
		says string
	}{
		{"a certificate", good, ""},
		{"as long as may be", append(bytes.Clone(good), comment...), ""},
		{"one character more", append(bytes.Clone(good), append(comment, '\n')...), "has more than 5000 characters"},
		{"two certificates", append(bytes.Clone(good), good...), "there is more than a PEM block in it"},
		{"words before it", append([]byte("subject=CN\n"), good...), "there is more than a PEM block in it"},
		{"a key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), "its PEM block is a PRIVATE KEY"},
		{"no certificate within", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), "is not one certificate in PEM: x509: malformed"},
		{"DER", []byte{0x30, 0x82}, "it has no PEM block"},
		{"nothing", nil, "it has no PEM block"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(path, tc.text, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := trustAnchors(t, path)
			if tc.says == "" {
				if err != nil || len(got) != 2 || got[0] != string(tc.text) || got[1] != got[0] {
					t.Errorf("got %q, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "c.yaml:31: clusters[1].trust_anchor: "+path) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want line, field, file and %q", err, tc.says)
			}
		})
	}
	if _, err := trustAnchors(t, "/nonexistent/ca.pem"); !strings.Contains(err.Error(), ":31: clusters[1].trust_anchor: open /nonexistent/ca.pem") {
		t.Errorf("got %v for no file", err)
	}
}

// trustAnchors reads those of a configuration whose clusters have the same one.
func trustAnchors(t *testing.T, path string) ([]string, error) {
	t.Helper()
	c, err := load(t, strings.ReplaceAll(clustered, "/ca.pem", path))
	if err != nil {
		t.Fatal(err)
	}
	return c.TrustAnchors()
}

// certificate is one in PEM, whose signature nobody looks at.
func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
