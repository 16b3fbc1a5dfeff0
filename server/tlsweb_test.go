package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// A web client may show a certificate, which counts if it verifies, and may show none.
func TestWebConfigTakesCertificatesWithoutDemandingThem(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	config, _, err := ca.files(t.TempDir()).WebConfig(hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.VerifiedChains) > 0 {
			w.Header().Set("Proved", r.TLS.VerifiedChains[0][0].URIs[0].String())
		}
	}), ErrorLog: hclog.NewNullLogger().StandardLogger(nil)}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(lis, "", "") }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	for name, test := range map[string]struct {
		certificates []tls.Certificate
		proved       string
		refused      bool
	}{
		"none":                 {nil, "", false},
		"of the authority":     {[]tls.Certificate{ca.client(aliceName)}, aliceName, false},
		"of another authority": {[]tls.Certificate{other.client(aliceName)}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.pool(), MinVersion: tls.VersionTLS12,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if test.certificates == nil {
						return new(tls.Certificate), nil
					}
					return &test.certificates[0], nil
				}}}
			defer transport.CloseIdleConnections()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+lis.Addr().String(), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := transport.RoundTrip(r)
			if (err != nil) != test.refused {
				t.Fatalf("%v, want it refused: %t", err, test.refused)
			}
			if err == nil {
				_ = res.Body.Close()
				if got := res.Header.Get("Proved"); got != test.proved {
					t.Errorf("proved %q, want %q", got, test.proved)
				}
			}
		})
	}
}

// A connection may be older than the files. Its certificate counts by those that are there.
func TestWebConfigTrustsNoWithdrawnAuthority(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	_, trusted, err := ca.files(dir).WebConfig(hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(ca.client(aliceName).Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	shown := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
	if !trusted(shown) || trusted(new(tls.ConnectionState)) {
		t.Error("the certificate of the authority is not trusted, or a connection without one is")
	}
	newAuthority(t).files(dir)
	if trusted(shown) {
		t.Error("the certificate is trusted although its authority was withdrawn")
	}
	ca.files(dir)
	if !trusted(shown) {
		t.Error("the certificate is not trusted although its authority is back")
	}
}
