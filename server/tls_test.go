package server

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestRenewedFilesAreUsedForNewConnections(t *testing.T) {
	h := newHarness(t).start()
	old := h.dial()
	if err := callDescribeKey(h, old, &metadata.MD{}); err != nil {
		t.Fatal(err)
	}

	former := h.ca
	h.ca = newAuthority(t)
	h.ca.files(filepath.Dir(h.config.TLS.Certificate))
	if err := callDescribeKey(h, h.dial(), &metadata.MD{}); err != nil {
		t.Errorf("new CA, new connection: %v", err)
	}
	withdrawn := h.dialTLS(&tls.Config{RootCAs: h.ca.pool(), MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert := former.client(aliceName)
			return &cert, nil
		}})
	if err := callDescribeKey(h, withdrawn, &metadata.MD{}); status.Code(err) != codes.Unavailable {
		t.Errorf("former CA, new connection: %v, want no connection", err)
	}
	if err := callDescribeKey(h, old, &metadata.MD{}); err != nil {
		t.Errorf("former CA, open connection: %v", err)
	}
}

func TestFilesThatDoNotLoadLeaveTheFormerInUse(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"garbage": func(path string) error { return os.WriteFile(path, []byte("garbage"), 0o600) },
		"missing": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t).start()
			if err := spoil(h.config.TLS.Certificate); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := callDescribeKey(h, h.dial(), &metadata.MD{}); err != nil {
					t.Error(err)
				}
			}
			if n := strings.Count(h.log.String(), "do not load"); n != 1 {
				t.Errorf("logged %d times, want once:\n%s", n, h.log)
			}
		})
	}
}
