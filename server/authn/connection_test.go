package authn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/strongroom-kms/strongroom/keystore"
)

const alice = "arn:aws:iam::000000000000:user/alice"

var anyAddress = &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 40000}

// callerWith is the caller of a request over a connection with the certificate.
func callerWith(t *testing.T, state tls.ConnectionState, md metadata.MD) keystore.Caller {
	t.Helper()
	tr := &transport{principals: func(uris, dns []string) string {
		if slices.Equal(uris, []string{"spiffe://corp/alice"}) && slices.Equal(dns, []string{"alice.corp"}) {
			return alice
		}
		return ""
	}}
	ctx := peer.NewContext(t.Context(), &peer.Peer{
		Addr:     anyAddress,
		AuthInfo: tr.describe(anyAddress, credentials.TLSInfo{State: state}),
	})
	return unaryCaller(t, metadata.NewIncomingContext(ctx, md))
}

func unaryCaller(t *testing.T, ctx context.Context) keystore.Caller {
	t.Helper()
	var caller keystore.Caller
	_, err := Unary(ctx, nil, &grpc.UnaryServerInfo{}, func(ctx context.Context, _ any) (any, error) {
		caller, _ = keystore.CallerFrom(ctx)
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if caller.RequestID == "" {
		t.Error("no request id")
	}
	if caller.Time.IsZero() {
		t.Error("no time")
	}
	caller.RequestID, caller.Time = "", time.Time{}
	return caller
}

func certificate(t *testing.T, notAfter time.Time) *x509.Certificate {
	t.Helper()
	uri, err := url.Parse("spiffe://corp/alice")
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{Raw: []byte("raw"), URIs: []*url.URL{uri}, DNSNames: []string{"alice.corp"}, NotAfter: notAfter}
}

func TestCallerOfAConnection(t *testing.T) {
	const fingerprint = "sha256:d7439bee24773bcbfa2d0a97947ee36227b10d1022b1a55847e928965bb6bfde"
	valid := certificate(t, time.Now().Add(time.Hour))
	expired := certificate(t, time.Now().Add(-time.Second))
	state := func(verified, shown *x509.Certificate) tls.ConnectionState {
		s := tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256}
		if verified != nil {
			s.VerifiedChains = [][]*x509.Certificate{{verified}}
		}
		s.PeerCertificates = []*x509.Certificate{shown}
		return s
	}
	md := metadata.Pairs(":authority", "kms.corp:7400", "user-agent", "grpc-go/1", RegionHeader, "eu-west-1")
	base := keystore.Caller{
		FrontEnd:  keystore.FrontEndGRPC,
		SourceIP:  "2001:db8::1",
		UserAgent: "grpc-go/1",
		Region:    "eu-west-1",
		TLS:       &keystore.TLS{Version: "TLSv1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", Host: "kms.corp"},
	}
	with := func(principal, credential string) keystore.Caller {
		c := base
		c.Principal, c.Credential = principal, credential
		return c
	}
	for name, test := range map[string]struct {
		state tls.ConnectionState
		want  keystore.Caller
	}{
		"verified":                       {state(valid, valid), with(alice, fingerprint)},
		"expired since the handshake":    {state(expired, expired), with("", fingerprint)},
		"shown and not verified: nobody": {state(nil, valid), with("", "")},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, callerWith(t, test.state, md)); diff != "" {
				t.Errorf("caller (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAConnectionOfAnotherSortHasACallerWithoutCredential(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"no peer":        t.Context(),
		"plain TLS info": peer.NewContext(t.Context(), &peer.Peer{Addr: anyAddress, AuthInfo: credentials.TLSInfo{}}),
	} {
		if diff := cmp.Diff(keystore.Caller{}, unaryCaller(t, ctx)); diff != "" {
			t.Errorf("%s: caller (-want +got):\n%s", name, diff)
		}
	}
}

// TestThePrincipalIsThatOfTheMoment has a principal made and deleted while a
// connection is open.
func TestThePrincipalIsThatOfTheMoment(t *testing.T) {
	known := ""
	tr := &transport{principals: func([]string, []string) string { return known }}
	leaf := certificate(t, time.Now().Add(time.Hour))
	ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: anyAddress, AuthInfo: tr.describe(anyAddress, credentials.TLSInfo{
		State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}},
	})})
	for _, known = range []string{"", alice, ""} {
		if arn, certified := Principal(ctx); arn != known || !certified {
			t.Errorf("admission sees %q, %t, want %q", arn, certified, known)
		}
		if got := unaryCaller(t, ctx).Principal; got != known {
			t.Errorf("the caller is %q, want %q", got, known)
		}
	}
}
