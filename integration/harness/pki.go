package harness

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Identity names the PEM files of a certificate and its private key.
type Identity struct{ Cert, Key string }

// CA issues certificates and writes them below its directory.
type CA struct {
	// Cert is the PEM file of the CA's own certificate.
	Cert string

	dir  string
	leaf *x509.Certificate
	key  crypto.Signer
}

// NewCA makes a certificate authority whose files are in dir, beginning with
// its name.
func NewCA(dir, name string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of CA %s: %w", name, err)
	}
	template, err := newTemplate(name)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	ca := &CA{Cert: filepath.Join(dir, name+".pem"), dir: dir, leaf: template, key: key}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing CA %s: %w", name, err)
	}
	return ca, writePEM(ca.Cert, "CERTIFICATE", der)
}

// IssueServer issues the certificate of a server on the loopback interface.
func (c *CA) IssueServer(name string) (Identity, error) {
	return c.issue(name, func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		t.DNSNames = []string{"localhost"}
	})
}

// IssueClient issues a client's certificate with a URI as its only name.
func (c *CA) IssueClient(name string, uri *url.URL) (Identity, error) {
	return c.issue(name, func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		t.URIs = []*url.URL{uri}
	})
}

func (c *CA) issue(name string, shape func(*x509.Certificate)) (Identity, error) {
	id := Identity{Cert: filepath.Join(c.dir, name+".crt"), Key: filepath.Join(c.dir, name+".key")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return id, fmt.Errorf("making the key of %s: %w", name, err)
	}
	template, err := newTemplate(name)
	if err != nil {
		return id, err
	}
	shape(template)
	der, err := x509.CreateCertificate(rand.Reader, template, c.leaf, key.Public(), c.key)
	if err != nil {
		return id, fmt.Errorf("signing the certificate of %s: %w", name, err)
	}
	if err := writePEM(id.Cert, "CERTIFICATE", der); err != nil {
		return id, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return id, fmt.Errorf("encoding the key of %s: %w", name, err)
	}
	return id, writePEM(id.Key, "PRIVATE KEY", private)
}

func newTemplate(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}, nil
}

func writePEM(path, kind string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
