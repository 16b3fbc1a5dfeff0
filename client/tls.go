package client

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"sync"
)

// tlsConfig returns the TLS that the caller gave, or that of the files.
func (c Config) tlsConfig() (*tls.Config, error) {
	if c.TLS != nil {
		return c.TLS, nil
	}
	if err := c.needFiles(); err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(c.CACert)
	if err != nil {
		return nil, fmt.Errorf("reading the CA certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("reading the CA certificate: %s has no certificate in PEM form", c.CACert)
	}
	pair := &keyPair{cert: c.ClientCert, key: c.ClientKey}
	if _, err := pair.load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		RootCAs:              roots,
		GetClientCertificate: pair.forHandshake,
	}, nil
}

// needFiles names the fields that are missing.
func (c Config) needFiles() error {
	var missing []string
	for _, field := range [][2]string{{"CACert", c.CACert}, {"ClientCert", c.ClientCert}, {"ClientKey", c.ClientKey}} {
		if field[1] == "" {
			missing = append(missing, field[0])
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("client.Config needs %s, or TLS", strings.Join(missing, ", "))
	}
	return nil
}

// keyPair is a certificate and its private key in files that may be renewed.
type keyPair struct {
	cert, key string

	mu   sync.Mutex
	last *tls.Certificate // that loaded
}

// forHandshake is a tls.Config.GetClientCertificate. It shows the certificate to
// every server, so that one of an authority that the server does not know is
// refused rather than taken for none. In the middle of a renewal, when only one
// of the files is new, the former pair has to do.
func (p *keyPair) forHandshake(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if cert, err := p.load(); err == nil {
		return cert, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, nil
}

func (p *keyPair) load() (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return nil, fmt.Errorf("loading the client certificate %s with key %s: %w", p.cert, p.key, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = &cert
	return &cert, nil
}
