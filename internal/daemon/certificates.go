package daemon

import (
	"crypto/x509"
	"encoding/pem"
	"os"

	"github.com/strongroom-kms/strongroom/internal/metrics"
)

// certificates tells when those of the configuration expire, as the files are now: the
// server takes up new ones without a restart. A file that cannot be read is left out.
func (d *daemon) certificates() []metrics.Certificate {
	files := d.config.TLS
	var all []metrics.Certificate
	add := func(use string, texts ...[]byte) {
		if c := firstToExpire(texts); c != nil {
			all = append(all, metrics.Certificate{Use: use, NotBefore: c.NotBefore, NotAfter: c.NotAfter})
		}
	}
	read := func(file string) []byte {
		text, _ := os.ReadFile(file)
		return text
	}
	add("server", read(files.Cert))
	add("client_ca", read(files.ClientCA))
	var anchors [][]byte
	for _, a := range d.trustAnchors {
		anchors = append(anchors, []byte(a))
	}
	add("trust_anchor", anchors...)
	return all
}

// firstToExpire is the one of the certificates in PEM texts that expires first; nil if they
// have none.
func firstToExpire(texts [][]byte) (first *x509.Certificate) {
	for _, rest := range texts {
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			c, err := x509.ParseCertificate(block.Bytes)
			if err == nil && (first == nil || c.NotAfter.Before(first.NotAfter)) {
				first = c
			}
		}
	}
	return first
}
