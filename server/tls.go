package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// TLSFiles names the PEM files that a server's TLS needs. They are looked at
// again at each handshake and loaded again when one has changed, so renewing a
// certificate needs no restart. What does not load is logged, and the files
// loaded before stay in use.
type TLSFiles struct {
	// Certificate is the server's certificate and its intermediates.
	Certificate string
	// Key is the private key of Certificate.
	Key string
	// ClientCA holds the certificates that client certificates must descend
	// from.
	ClientCA string
}

// stamp tells two versions of the files apart.
type stamp [3]struct {
	modified time.Time
	size     int64
}

// stamp leaves a missing file's entry zero, which is a version too: one that
// does not load.
func (f TLSFiles) stamp() stamp {
	var s stamp
	for i, path := range []string{f.Certificate, f.Key, f.ClientCA} {
		if info, err := os.Stat(path); err == nil {
			s[i].modified, s[i].size = info.ModTime(), info.Size()
		}
	}
	return s
}

// load makes the TLS configuration of a connection.
func (f TLSFiles) load() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	if err != nil {
		return nil, fmt.Errorf("loading server certificate %s and key %s: %w", f.Certificate, f.Key, err)
	}
	pem, err := os.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("loading client CA: %w", err)
	}
	cas := x509.NewCertPool()
	if !cas.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("loading client CA %s: no certificate in it", f.ClientCA)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert},
		ClientCAs:    cas,
		// A certificate that is given must verify, or the handshake fails. A
		// connection without one is let in only to be told so by an error with
		// a name (see admission.enter) rather than by a TLS alert.
		ClientAuth: tls.VerifyClientCertIfGiven,
		NextProtos: []string{"h2"},
		// A resumed session would bring a certificate that was verified under
		// an older client CA. gRPC connections are few and long.
		SessionTicketsDisabled: true,
	}, nil
}

// HTTPConfig is the TLS configuration of an HTTP server of the same identity, whose
// clients prove themselves by other means than certificates. It follows the files
// too.
func (f TLSFiles) HTTPConfig(logger hclog.Logger) (*tls.Config, error) {
	certs, err := newCertificates(f, logger)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			current, err := certs.forClient(hello)
			if err != nil {
				return nil, err
			}
			return &current.Certificates[0], nil
		},
	}, nil
}

// WebConfig is HTTPConfig for clients who may prove themselves by a certificate: one that
// is given must verify, and none is demanded. trusted says whether that of a connection still
// does: browsers keep connections for as long as they are used, and may outlive the authority.
func (f TLSFiles) WebConfig(logger hclog.Logger) (config *tls.Config, trusted func(*tls.ConnectionState) bool, err error) {
	certs, err := newCertificates(f, logger)
	if err != nil {
		return nil, nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"}, // net/http looks here
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			current, err := certs.forClient(hello)
			if err != nil {
				return nil, err
			}
			web := current.Clone()
			web.NextProtos = []string{"h2", "http/1.1"}
			return web, nil
		},
	}, certs.trust, nil
}

// certificates gives each handshake the configuration of the present files.
type certificates struct {
	files  TLSFiles
	logger hclog.Logger

	mu      sync.Mutex
	stamp   stamp // of the files last tried, loaded or not
	current *tls.Config
}

func newCertificates(files TLSFiles, logger hclog.Logger) (*certificates, error) {
	s := files.stamp()
	current, err := files.load()
	if err != nil {
		return nil, err
	}
	return &certificates{files: files, logger: logger, stamp: s, current: current}, nil
}

// forClient is a tls.Config.GetConfigForClient.
func (c *certificates) forClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.files.stamp()
	if s == c.stamp {
		return c.current, nil
	}
	c.stamp = s
	next, err := c.files.load()
	if err != nil {
		c.logger.Error("TLS files have changed but do not load; the former ones stay in use", "error", err)
		return c.current, nil
	}
	c.logger.Info("TLS files loaded again", "certificate", c.files.Certificate)
	c.current = next
	return next, nil
}

// trust says whether a connection's client certificate verifies, by the present files.
func (c *certificates) trust(s *tls.ConnectionState) bool {
	current, err := c.forClient(nil)
	if err != nil || len(s.PeerCertificates) == 0 {
		return false
	}
	options := x509.VerifyOptions{
		Roots: current.ClientCAs, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, intermediate := range s.PeerCertificates[1:] {
		options.Intermediates.AddCert(intermediate)
	}
	_, err = s.PeerCertificates[0].Verify(options)
	return err == nil
}
