package config

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxTrustAnchor is AWS's limit for a trust anchor, in characters.
const maxTrustAnchor = 5000

// TrustAnchors reads the certificates that the clusters are known by, in the order
// of the clusters. The error is an Errors with all that is wrong.
func (c *Config) TrustAnchors() ([]string, error) {
	v := &validation{config: c}
	anchors := make([]string, len(c.Clusters))
	for i, cluster := range c.Clusters {
		var err error
		if anchors[i], err = readTrustAnchor(cluster.TrustAnchor); err != nil {
			v.fault(fmt.Sprintf("clusters[%d].trust_anchor", i), "%v", err)
		}
	}
	if len(v.errs) > 0 {
		return nil, v.errs
	}
	return anchors, nil
}

// readTrustAnchor returns a file that is one certificate in PEM and nothing else.
func readTrustAnchor(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxTrustAnchor+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxTrustAnchor {
		return "", fmt.Errorf("%s has more than %d characters", path, maxTrustAnchor)
	}
	if err := checkCertificate(text); err != nil {
		return "", fmt.Errorf("%s is not one certificate in PEM: %w", path, err)
	}
	return string(text), nil
}

func checkCertificate(text []byte) error {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return errors.New("it has no PEM block")
	case !bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN")) || len(bytes.TrimSpace(rest)) > 0:
		return errors.New("there is more than a PEM block in it")
	case block.Type != "CERTIFICATE":
		return fmt.Errorf("its PEM block is a %s", block.Type)
	}
	_, err := x509.ParseCertificate(block.Bytes)
	return err
}
