package server

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// A web client may show a certificate, which counts if it verifies, and may show none.
func TestWebConfigTakesCertificatesWithoutDemandingThem(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	config, err := ca.files(t.TempDir()).WebConfig(hclog.NewNullLogger())
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
