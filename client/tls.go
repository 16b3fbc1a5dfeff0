package client

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// tlsConfig returns the TLS that the caller gave, or that of the files.
func (c Config) tlsConfig() (*tls.Config, error) {
	if c.TLS != nil {
		return c.TLS, nil
	}
	ca, err := os.ReadFile(c.CACert)
	if err != nil {
		return nil, fmt.Errorf("reading the CA certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("reading the CA certificate: %s has no certificate in PEM form", c.CACert)
	}
	if _, err := c.clientCertificate(nil); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		RootCAs:              roots,
		GetClientCertificate: c.clientCertificate,
	}, nil
}

// clientCertificate is a tls.Config.GetClientCertificate. It shows the
// certificate to every server, so that one of an authority that the server does
// not know is refused rather than taken for none.
func (c Config) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("loading the client certificate %s with key %s: %w", c.ClientCert, c.ClientKey, err)
	}
	return &cert, nil
}
