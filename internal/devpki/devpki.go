// Package devpki issues the certificates of a development server: a CA, a
// server certificate for the loopback addresses, and client certificates, all
// ECDSA P-256, in PEM files of one directory. It is not for production: the
// CA's private key lies beside what it signs.
package devpki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
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

	"github.com/strongroom-kms/strongroom/internal/atomicfile"
)

const (
	caLifetime   = 10 * 365 * 24 * time.Hour
	leafLifetime = 90 * 24 * time.Hour
	// renewBefore is how long before its end a certificate is replaced. A server
	// that runs for longer than this has to be restarted.
	renewBefore = 30 * 24 * time.Hour
	// backdate keeps a certificate good on a clock that is a little behind.
	backdate = time.Hour
)

// Pair is a certificate and its private key, in PEM files.
type Pair struct{ Cert, Key string }

func pairIn(dir, name string) Pair {
	return Pair{Cert: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+"-key.pem")}
}

// load returns the pair if both files are there and belong together.
func (p Pair) load() (*x509.Certificate, *ecdsa.PrivateKey, bool) {
	both, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		return nil, nil, false
	}
	key, ok := both.PrivateKey.(*ecdsa.PrivateKey)
	return both.Leaf, key, ok
}

// issue makes a key and a certificate for it, signed by the parent, or by
// itself if that is nil. The files replace what was there.
func (p Pair) issue(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(p.Key, "PRIVATE KEY", keyDER, 0o600); err != nil {
		return err
	}
	return writePEM(p.Cert, "CERTIFICATE", cert, 0o644)
}

func writePEM(path, kind string, der []byte, perm os.FileMode) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	return atomicfile.WriteBytes(path, atomicfile.Replace, perm, text)
}

// Authority issues certificates.
type Authority struct {
	// File is the PEM file with its certificate.
	File string

	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Open loads the CA in dir, which must exist, or makes a new one if there is
// none or less than 30 days of its 10 years are left.
func Open(dir string) (*Authority, error) {
	files := pairIn(dir, "ca")
	cert, key, ok := files.load()
	if !ok || nearEnd(cert) {
		template, err := newTemplate("Strongroom development CA", caLifetime)
		if err != nil {
			return nil, err
		}
		template.IsCA = true
		template.BasicConstraintsValid = true
		template.MaxPathLenZero = true
		template.KeyUsage = x509.KeyUsageCertSign
		if err := files.issue(template, nil, nil); err != nil {
			return nil, fmt.Errorf("making the development CA: %w", err)
		}
		if cert, key, ok = files.load(); !ok {
			return nil, fmt.Errorf("loading the development CA from %s", files.Cert)
		}
	}
	return &Authority{File: files.Cert, dir: dir, cert: cert, key: key}, nil
}

// Server returns a certificate for this machine's loopback addresses. Like all
// pairs it lasts 90 days, and the one in the directory is returned as long as
// 30 of them are left.
func (a *Authority) Server() (Pair, error) {
	return a.ensure("server", func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		t.DNSNames = []string{"localhost"}
		t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	})
}

// Client returns a certificate for a client of that URI. The name names its
// files.
func (a *Authority) Client(name string, id *url.URL) (Pair, error) {
	return a.ensure(name, func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		t.URIs = []*url.URL{id}
	})
}

// ensure returns the named pair, made anew if it is missing, near its end or
// of another authority.
func (a *Authority) ensure(name string, fill func(*x509.Certificate)) (Pair, error) {
	files := pairIn(a.dir, name)
	if cert, _, ok := files.load(); ok && !nearEnd(cert) && cert.CheckSignatureFrom(a.cert) == nil {
		return files, nil
	}
	template, err := newTemplate("Strongroom development "+name, leafLifetime)
	if err != nil {
		return Pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	fill(template)
	if err := files.issue(template, a.cert, a.key); err != nil {
		return Pair{}, fmt.Errorf("making the %s certificate: %w", name, err)
	}
	return files, nil
}

func newTemplate(name string, lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(lifetime),
	}, nil
}

func nearEnd(c *x509.Certificate) bool { return time.Until(c.NotAfter) < renewBefore }
