package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/strongroom-kms/strongroom/server"
)

// tlsFiles are the files of the configuration's TLS.
func (d *daemon) tlsFiles() server.TLSFiles {
	files := d.config.TLS
	return server.TLSFiles{Certificate: files.Cert, Key: files.Key, ClientCA: files.ClientCA}
}

// checkTLS loads the files that the server will load again.
func (d *daemon) checkTLS(context.Context) error {
	files := d.config.TLS
	if _, err := tls.LoadX509KeyPair(files.Cert, files.Key); err != nil {
		return fmt.Errorf("loading tls.cert %s and tls.key %s: %w", files.Cert, files.Key, err)
	}
	pem, err := os.ReadFile(files.ClientCA)
	if err != nil {
		return fmt.Errorf("loading tls.client_ca: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return fmt.Errorf("loading tls.client_ca: %s has no certificate in PEM form", files.ClientCA)
	}
	return nil
}
