package devpki_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-kms/strongroom/internal/devpki"
)

const day = 24 * time.Hour

func alice() *url.URL { return &url.URL{Scheme: "spiffe", Host: "test", Path: "/alice"} }

func open(t *testing.T, dir string) *devpki.Authority {
	t.Helper()
	ca, err := devpki.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func client(t *testing.T, ca *devpki.Authority) devpki.Pair {
	t.Helper()
	pair, err := ca.Client("alice", alice())
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func leaf(t *testing.T, p devpki.Pair) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// verify checks the certificate as the other side of a connection would.
func verify(t *testing.T, ca *devpki.Authority, c *x509.Certificate, host string, usage x509.ExtKeyUsage) {
	t.Helper()
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	_, err = c.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: time.Now()})
	if err != nil {
		t.Errorf("%s for %q: %v", c.Subject, host, err)
	}
}

func TestServerCertificateIsForLoopback(t *testing.T) {
	ca := open(t, t.TempDir())
	pair, err := ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		verify(t, ca, leaf(t, pair), host, x509.ExtKeyUsageServerAuth)
	}
}

func TestClientCertificateHasTheURI(t *testing.T) {
	ca := open(t, t.TempDir())
	c := leaf(t, client(t, ca))
	verify(t, ca, c, "", x509.ExtKeyUsageClientAuth)
	if len(c.URIs) != 1 || c.URIs[0].String() != alice().String() {
		t.Errorf("URIs %v", c.URIs)
	}
}

func TestPrivateKeysAreReadableByTheirOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	pair := client(t, open(t, dir))
	for _, path := range []string{pair.Key, dir + "/ca-key.pem"} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, err %v", path, info.Mode(), err)
		}
	}
}

func TestCertificatesAreKeptUntil30DaysAreLeft(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration
		kept  bool
	}{
		{"at once", 0, true},
		{"59 days later", 59 * day, true},
		{"61 days later", 61 * day, false},
		{"a year later", 365 * day, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				first := leaf(t, client(t, open(t, dir)))
				time.Sleep(tc.after)
				ca := open(t, dir)
				second := leaf(t, client(t, ca))
				if kept := first.Equal(second); kept != tc.kept {
					t.Errorf("kept: %v, want %v", kept, tc.kept)
				}
				verify(t, ca, second, "", x509.ExtKeyUsageClientAuth)
			})
		})
	}
}

func TestWhatCannotBeUsedIsMadeAnew(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(dir string) error
	}{
		{"key lost", func(dir string) error { return os.Remove(dir + "/alice-key.pem") }},
		{"certificate lost", func(dir string) error { return os.Remove(dir + "/alice.pem") }},
		{"certificate cut off", func(dir string) error { return os.Truncate(dir+"/alice.pem", 100) }},
		{"key of another", func(dir string) error { return os.Rename(dir+"/ca-key.pem", dir+"/alice-key.pem") }},
		{"CA lost", func(dir string) error { return os.Remove(dir + "/ca.pem") }},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			client(t, open(t, dir))
			if err := tc.spoil(dir); err != nil {
				t.Fatal(err)
			}
			ca := open(t, dir)
			verify(t, ca, leaf(t, client(t, ca)), "", x509.ExtKeyUsageClientAuth)
		})
	}
}

func TestAMissingDirectoryIsAnError(t *testing.T) {
	if _, err := devpki.Open(t.TempDir() + "/none"); err == nil {
		t.Error("made a CA without a directory")
	}
}
